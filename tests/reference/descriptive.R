# Reference values of correlations, quantiles and ROC points beyond refs.json: Rscript descriptive.R (in this folder).
library(jsonlite); library(pROC)
options(digits = 15)
gb <- read.csv("gbsg_pred.csv")

correlation <- function(x, y, level = 0.95) {
  h <- cor.test(x, y, method = "spearman", exact = FALSE)
  r <- unname(h$estimate); z <- qnorm((1 + level) / 2) * sqrt((1 + r^2 / 2) / (length(x) - 3))
  list(r = r, p = h$p.value, limits = tanh(atanh(r) + c(-z, z)))  # Bonett and Wright 2000
}
straight <- function(x, y, level = 0.95) {
  h <- cor.test(x, y, conf.level = level)
  list(r = unname(h$estimate), p = h$p.value, limits = as.numeric(h$conf.int))
}
order_statistics <- function(x, p, level = 0.95) {
  a <- (1 - level) / 2; s <- sort(x)
  list(value = unname(quantile(x, p)), limits = s[c(qbinom(a, length(x), p), qbinom(1 - a, length(x), p) + 1)])
}
known <- gb[gb$known3 == 1, ]
r <- roc(known$y3, known$lpA, levels = c(0, 1), direction = "<", quiet = TRUE)
out <- list(
  meta = list(R = R.version.string, jsonlite = as.character(packageVersion("jsonlite")),
              pROC = as.character(packageVersion("pROC"))),
  spearman = list(age = correlation(gb$lpA, gb$age), nodes = correlation(gb$lpA, gb$nodes),
                  pgr = correlation(gb$lpA, gb$pgr), er = correlation(gb$age, gb$er)),
  pearson = list(age = straight(gb$lpA, gb$age), nodes = straight(gb$lpA, gb$nodes),
                 pgr_90 = straight(gb$lpA, gb$pgr, 0.9), er = straight(gb$age, gb$er)),
  quantiles = list(age_25 = order_statistics(gb$age, 0.25), nodes_50 = order_statistics(gb$nodes, 0.5),
                   lp_75 = order_statistics(gb$lpA, 0.75)),
  roc = list(sensitivity = rev(r$sensitivities), specificity = rev(r$specificities)),
  bandwidth = list(age = bw.nrd0(gb$age), nodes = bw.nrd0(gb$nodes)))
write_json(out, "descriptive.json", digits = I(15), auto_unbox = TRUE, pretty = FALSE)
