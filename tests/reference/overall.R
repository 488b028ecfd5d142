# Cumulative baseline hazards of the two Cox models of refs.R on the grid on which refs.R integrates the Brier score.
# Run in this folder: Rscript overall.R
suppressPackageStartupMessages({library(survival); library(jsonlite)})
rot <- survival::rotterdam
rot$status <- pmax(rot$recur, rot$death)
rot$time <- with(rot, ifelse(recur == 1, rtime, dtime)) / 365.25
rot$grade3 <- as.integer(rot$grade == 3)
rot$lnodes <- log(rot$nodes + 1)
rot$size2 <- as.integer(rot$size == "20-50")
rot$size3 <- as.integer(rot$size == ">50")
A <- coxph(Surv(time, status) ~ age + meno + size2 + size3 + grade3 + lnodes + hormon, data = rot)
B <- coxph(Surv(time, status) ~ age + meno + size2 + size3 + hormon, data = rot)
grid <- seq(0, 5, by = 0.05)[-1]
hazard <- function(fit) {
  h <- basehaz(fit, centered = FALSE)
  sapply(grid, function(t) max(c(0, h$hazard[h$time <= t])))
}
gb <- read.csv("gbsg_pred.csv")
# Brier score of model A, its standard error, and index of prediction accuracy, for the 3-year status of gbsg.
known <- gb[gb$known3 == 1, ]
square <- (known$pA3 - known$y3)^2
null <- (mean(known$y3) - known$y3)^2
values <- list(
  meta = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  grid = grid, H0_A = hazard(A), H0_B = hazard(B),
  binary = list(brier = mean(square), brier_se = sd(square) / sqrt(length(square)), ipa = 1 - mean(square) / mean(null))
)
write_json(values, "overall.json", digits = I(15), auto_unbox = TRUE, pretty = TRUE)
