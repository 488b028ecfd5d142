# Reference values of cohort differences beyond refs.R.  Run in tests/reference: Rscript shift.R
suppressPackageStartupMessages(library(jsonlite))
rot <- read.csv("rotterdam_rfs.csv"); gb <- read.csv("gbsg_pred.csv")
R <- list(meta = list(R = R.version.string))
ks <- suppressWarnings(ks.test(rot$lpA, gb$lpA, exact = FALSE))
R$ks_lp <- list(D = unname(ks$statistic), p = ks$p.value)

# three levels: size up to 20 mm, 20 to 50, above
level <- function(d) factor(d$size2 + 2*d$size3, levels = 0:2)
tab <- rbind(table(level(rot)), table(level(gb)))
ch <- chisq.test(tab, correct = FALSE)
R$chisq_size <- list(stat = unname(ch$statistic), df = unname(ch$parameter), p = ch$p.value)
p <- prop.table(tab, 1)[, -1]
S <- (diag(p[1, ]) - tcrossprod(p[1, ]) + diag(p[2, ]) - tcrossprod(p[2, ]))/2
R$smd_size <- sqrt(mahalanobis(p[1, ], p[2, ], S))
R$smd_age <- (mean(gb$age) - mean(rot$age))/sqrt((var(gb$age) + var(rot$age))/2)
R$smd_grade3 <- {a <- mean(rot$grade3); b <- mean(gb$grade3); abs(b - a)/sqrt((a*(1-a) + b*(1-b))/2)}

# deciles that coincide: nodes = exp(lnodes) - 1, binned by unique edges; an empty bin counts half a patient
psi <- function(x, y) {e <- unique(quantile(x, 1:9/10)); e <- e[e < max(x)]; f <- function(z) {n <- table(cut(z, c(-Inf, e, Inf))); n <- as.numeric(n); ifelse(n == 0, .5, n)/sum(n)}
  sum((f(y) - f(x))*log(f(y)/f(x)))}
R$psi_lnodes <- psi(rot$lnodes, gb$lnodes)
R$psi_lp <- psi(rot$lpA, gb$lpA)
R$psi_empty <- psi(rot$age, gb$age[gb$age > 45])

# membership: in-sample model, whose coefficients the cross-validated ones must resemble
d <- rbind(data.frame(m = 0, rot[, c("age", "meno", "lnodes")]), data.frame(m = 1, gb[, c("age", "meno", "lnodes")]))
f <- glm(m ~ age + meno + lnodes, binomial, d)
# cross-validated with folds = row number modulo 10 within the cohort
fold <- c(seq_len(nrow(rot)) - 1, seq_len(nrow(gb)) - 1) %% 10
lp <- numeric(nrow(d)); for (k in 0:9) {g <- glm(m ~ age + meno + lnodes, binomial, d[fold != k, ], control = list(epsilon = 1e-14, maxit = 50)); lp[fold == k] <- predict(g, d[fold == k, ])}
suppressPackageStartupMessages(library(pROC))
r <- roc(d$m, lp, direction = "<", quiet = TRUE)
R$meta$pROC <- as.character(packageVersion("pROC"))
R$membership <- list(auc = as.numeric(auc(r)), se = sqrt(var(r)), apparent = as.numeric(auc(roc(d$m, fitted(f), direction = "<", quiet = TRUE))))
write_json(R, "shift.json", digits = 15, auto_unbox = TRUE, pretty = TRUE)
