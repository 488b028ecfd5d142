# Reference values of tests of groups beyond refs.json: Rscript groups.R (in this folder).
# fisher.test stops its root search for the odds ratio and its limits at 1e-4; here the same equations are solved to 1e-13.
library(jsonlite)
options(digits = 15)
gb <- read.csv("gbsg_pred.csv")

odds_ratio <- function(a, b, c, d, level = 0.95) {
  m <- a + c; n <- b + d; k <- a + b; lo <- max(0, k - n); hi <- min(k, m); support <- lo:hi
  logdc <- dhyper(support, m, n, k, log = TRUE)
  dn <- function(l) { x <- logdc + l * support; x <- exp(x - max(x)); x / sum(x) }
  root <- function(f) exp(uniroot(f, c(-30, 30), tol = 1e-14)$root)
  alpha <- (1 - level) / 2
  c(root(function(l) sum(support * dn(l)) - a), root(function(l) sum(dn(l)[support >= a]) - alpha),
    root(function(l) sum(dn(l)[support <= a]) - alpha))
}
tables2 <- list(c(231, 59, 209, 187), c(3, 1, 1, 3), c(12, 5, 29, 2), c(164, 6, 60, 5), c(1, 9, 11, 3))
fisher2 <- lapply(tables2, function(t) {
  f <- fisher.test(matrix(t, 2, byrow = TRUE))
  list(table = matrix(t, 2, byrow = TRUE), p = f$p.value, printed = c(unname(f$estimate), f$conf.int),
       solved = odds_ratio(t[1], t[2], t[3], t[4]))
})
tables <- list(
  matrix(c(24, 7, 14, 3, 26, 11, 94, 39, 12, 5), 5, byrow = TRUE),
  matrix(c(1, 2, 1, 0, 3, 3, 6, 1, 10, 10, 14, 9, 6, 7, 12, 11), 4, byrow = TRUE),
  matrix(c(5, 16, 18, 2, 8, 12, 8, 33, 31, 11, 27, 25, 4, 19, 16), 5, byrow = TRUE),
  matrix(c(0, 1, 2, 3, 4, 5, 7, 7, 12, 7, 0, 0, 1, 0, 1, 0, 0, 1, 0, 2, 1, 1, 0, 4, 1), 5, byrow = TRUE),
  matrix(c(40, 1, 0, 2, 9, 12, 0, 3, 21), 3, byrow = TRUE),
  matrix(c(3, 0, 4, 0, 5, 1), 2, byrow = TRUE),
  matrix(c(2, 2, 2, 2, 2, 2, 2, 2, 2), 3, byrow = TRUE))
fisher <- lapply(tables, function(t) list(table = t, p = fisher.test(t, workspace = 2e7)$p.value))

x <- c(1.1, 2.3, 3.7, 4.2, 9.9, 12.5, 13.1, 17.8); y <- c(0.5, 1.9, 2.2, 2.8, 3.1, 3.6, 7.7)
z <- c(1, 2, 2, 3, 3, 3, 5, 8); v <- c(1, 1, 1, 2, 3, 4, 4)
test <- function(h) list(statistic = unname(h$statistic), p = h$p.value)
out <- list(
  meta = list(R = R.version.string, jsonlite = as.character(packageVersion("jsonlite"))),
  fisher2 = fisher2, fisher = fisher,
  samples = list(x = x, y = y, z = z, v = v),
  mann_whitney_exact = test(wilcox.test(x, y)),
  mann_whitney_ties = test(suppressWarnings(wilcox.test(z, v))),
  kruskal_ties = test(kruskal.test(list(z, v, x))),
  welch = c(test(t.test(x, y)), df = unname(t.test(x, y)$parameter)),
  student = c(test(t.test(x, y, var.equal = TRUE)), df = unname(t.test(x, y, var.equal = TRUE)$parameter)),
  shapiro = list(x = test(shapiro.test(x)), y = test(shapiro.test(y)), z = test(shapiro.test(z)),
                 three = test(shapiro.test(c(1, 2, 4))), pgr = test(shapiro.test(gb$pgr)), lp = test(shapiro.test(gb$lpA))),
  quartiles_nodes = as.numeric(quantile(gb$nodes[gb$hormon == 1], c(.5, .25, .75))),
  pgr_kw_grade = test(kruskal.test(pgr ~ grade, gb)))
write_json(out, "groups.json", digits = I(15), auto_unbox = TRUE, pretty = TRUE)
