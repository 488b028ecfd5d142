## Reference values for classification, utility and reclassification beyond refs.R.
## Run in tests/reference: Rscript classification.R   (R 4.2.2, survival 3.5-3, jsonlite)
suppressPackageStartupMessages({library(survival); library(jsonlite)})
gb <- read.csv("gbsg_pred.csv"); b <- gb[gb$known3 == 1, ]
R <- list(meta = list(R = R.version.string, survival = as.character(packageVersion("survival")), jsonlite = as.character(packageVersion("jsonlite"))))

## McNemar: specificity at 0.5 and 0.3, sensitivity at 0.3
mc <- function(cls, th) {
  rightA <- factor((b$pA3 >= th) == cls, c(FALSE, TRUE)); rightB <- factor((b$pB3 >= th) == cls, c(FALSE, TRUE))
  m <- table(rightA[b$y3 == cls], rightB[b$y3 == cls]); t <- mcnemar.test(m)
  list(only_A = m[2, 1], only_B = m[1, 2], chisq_cc = unname(t$statistic), p_cc = t$p.value,
       p_exact = binom.test(m[2, 1], m[1, 2] + m[2, 1])$p.value)
}
R$mcnemar <- list(sens_0.3 = mc(1, .3), spec_0.5 = mc(0, .5), spec_0.3 = mc(0, .3))

## Kaplan-Meier risk at 5 years among those at or above a threshold: Greenwood error, infinitesimal-jackknife residuals
R$group_km <- lapply(c(.5, .7), function(th) {
  g <<- gb[gb$pA5 >= th, ]; f <- survfit(Surv(time, status) ~ 1, g, timefix = FALSE); s <- summary(f, times = 5)
  list(threshold = th, n = nrow(g), surv = s$surv, se = s$std.err, residuals = as.numeric(residuals(f, times = 5, type = "pstate")))
})

## Wilson limits at threshold 0.5 and 0.3, from which Newcombe's interval of Youden's index follows
R$youden <- lapply(c(.5, .3), function(th) {
  w <- function(x, n) c(x / n, prop.test(x, n, correct = FALSE)$conf.int)
  se <- w(sum(b$pA3 >= th & b$y3 == 1), sum(b$y3 == 1)); sp <- w(sum(b$pA3 < th & b$y3 == 0), sum(b$y3 == 0))
  j <- se[1] + sp[1] - 1
  c(j, j - sqrt((se[1] - se[2])^2 + (sp[1] - sp[2])^2), j + sqrt((se[3] - se[1])^2 + (sp[3] - sp[1])^2))
})
write_json(R, "classification.json", digits = I(15), auto_unbox = TRUE, pretty = TRUE)
