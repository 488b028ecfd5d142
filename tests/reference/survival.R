## Reference values for survival and cut-offs beyond refs.R. Run in this folder: Rscript survival.R
suppressPackageStartupMessages({
  library(survival); library(MASS); library(maxstat); library(mvtnorm); library(jsonlite)
})
gb <- read.csv("gbsg_pred.csv"); rot <- read.csv("rotterdam_rfs.csv")
co <- function(x) as.list(setNames(as.numeric(x), names(x)))
R <- list(meta = list(R = R.version.string, packages = sapply(
  c("survival", "MASS", "maxstat", "mvtnorm", "jsonlite"), function(p) as.character(packageVersion(p)))))

## quantiles of survival and of follow-up (reverse Kaplan-Meier)
quart <- function(fit, level) { q <- quantile(fit, c(.25, .5, .75)); lapply(q, as.numeric) }
ll <- function(f, data, level = .95) quart(survfit(f, data, conf.type = "log-log", conf.int = level))
flat <- data.frame(time = c(1, 2, 3, 4, 5, 6, 7, 8), status = c(1, 1, 0, 1, 1, 0, 1, 0))
half <- data.frame(time = c(1, 2, 3, 4, 5, 6), status = c(1, 1, 1, 0, 1, 1))
R$quantiles <- list(
  gbsg = ll(Surv(time, status) ~ 1, gb), gbsg_90 = ll(Surv(time, status) ~ 1, gb, .9),
  rotterdam = ll(Surv(time, status) ~ 1, rot), flat = ll(Surv(time, status) ~ 1, flat),
  half = ll(Surv(time, status) ~ 1, half),
  half_median = co(summary(survfit(Surv(time, status) ~ 1, half, conf.type = "log-log"))$table[7:9]))
R$follow_up <- list(gbsg = ll(Surv(time, 1 - status) ~ 1, gb), rotterdam = ll(Surv(time, 1 - status) ~ 1, rot))

## restricted means, log intervals, clustered Kaplan-Meier
rm5 <- function(d, tau) unname(summary(survfit(Surv(time, status) ~ 1, d), rmean = tau)$table[5:6])
R$restricted_mean <- list(hormon0 = rm5(gb[gb$hormon == 0, ], 5), hormon1 = rm5(gb[gb$hormon == 1, ], 5),
  rotterdam_10 = rm5(rot, 10), before_first_event = rm5(gb, min(gb$time[gb$status == 1]) / 2))
k <- summary(survfit(Surv(time, status) ~ 1, gb, id = pid, cluster = grade), times = 3)
R$clustered_survival <- list(surv = k$surv, se = k$std.err)

## log-rank variants
lr <- function(f, rho = 0) { s <- survdiff(f, gb, rho = rho); df <- length(s$n) - 1
  list(chisq = s$chisq, df = df, p = pchisq(s$chisq, df, lower.tail = FALSE)) }
R$log_rank <- list(grade_peto = lr(Surv(time, status) ~ grade, 1),
  grade_strat_meno = lr(Surv(time, status) ~ grade + strata(meno)),
  hormon_strat_grade_peto = lr(Surv(time, status) ~ hormon + strata(grade), 1),
  hormon_rho_half = lr(Surv(time, status) ~ hormon, .5))
gb$quarter <- cut(gb$age, quantile(gb$age), include.lowest = TRUE, labels = FALSE)
pairs <- combn(4, 2, simplify = FALSE)
raw <- sapply(pairs, function(g) { s <- survdiff(Surv(time, status) ~ quarter, gb[gb$quarter %in% g, ])
  pchisq(s$chisq, 1, lower.tail = FALSE) })
R$pairwise <- list(quarter = gb$quarter, raw = raw, holm = p.adjust(raw, "holm"),
  bonferroni = p.adjust(raw, "bonferroni"), benjamini_hochberg = p.adjust(raw, "BH"))

## Cox: tests at full precision, baseline hazard, prediction
fA <- coxph(Surv(time, status) ~ age + meno + size2 + size3 + grade3 + lnodes + hormon, rot)
fg <- coxph(Surv(time, status) ~ age + meno + size + grade3 + lnodes + hormon, gb)
tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 50)
fB <- coxph(Surv(time, status) ~ age + meno + size2 + size3 + hormon, rot, control = tight)  # refs.R stops 8e-8 before the maximum
R$cox_rotterdam_B <- list(coef = co(coef(fB)), se = co(setNames(sqrt(diag(fB$var)), names(coef(fB)))), wald = fB$wald.test)
R$cox_tests <- lapply(list(rotterdam = fA, gbsg = fg), function(f)
  list(wald = f$wald.test, score = f$score, LR = 2 * diff(f$loglik), AIC = AIC(f)))
b <- basehaz(fA, centered = FALSE); at <- c(.2, .5, 2, 4, 7.5, 12, 19)
R$basehaz <- list(t = at, H0 = sapply(at, function(t) max(b$hazard[b$time <= t])), steps = sum(diff(c(0, b$hazard)) > 0))

## proportional hazards with a factor of two columns; heavy ties (whole years)
tab <- function(z) list(chisq = co(z$table[, 1]), df = co(z$table[, 2]), p = co(z$table[, 3]))
gb$grade <- factor(gb$grade); gb$year <- ceiling(gb$time)
R$zph <- list(gbsg_factor = tab(cox.zph(coxph(Surv(time, status) ~ age + grade + lnodes + hormon, gb, control = tight))),
  gbsg_years = tab(cox.zph(coxph(Surv(year, status) ~ age + grade3 + hormon, gb))),
  gbsg_one = tab(cox.zph(coxph(Surv(time, status) ~ pgr, gb, control = tight))))

## treatment by a factor of three levels
i0 <- coxph(Surv(time, status) ~ hormon + grade, gb, control = tight)
an <- anova(i0, coxph(Surv(time, status) ~ hormon * grade, gb, control = tight))
R$interaction_by_group <- list(LR = an$Chisq[2], df = an$Df[2], p = an[2, 4])

## stepwise with factors
gb$sizes <- cut(gb$size, c(-1, 20, 50, 500)); gb$ages <- cut(gb$age, c(0, 45, 60, 99))
scope <- ~ ages + meno + sizes + grade + lnodes + hormon
step <- function(direction) {
  start <- if (direction == "forward") coxph(Surv(time, status) ~ 1, gb) else coxph(update(scope, Surv(time, status) ~ .), gb)
  s <- if (direction == "forward") stepAIC(start, scope = scope, direction = direction, trace = 0) else
    stepAIC(start, direction = direction, trace = 0)
  list(terms = attr(terms(s), "term.labels"), Step = as.character(s$anova$Step), AIC = s$anova$AIC)
}
R$stepwise <- lapply(setNames(nm = c("both", "backward", "forward")), step)

## maximally selected statistics: joint normal distribution at high accuracy
exact <- function(v) { set.seed(1)
  m <- maxstat.test(Surv(time, status) ~ x, data = data.frame(time = gb$time, status = gb$status, x = v),
    smethod = "LogRank", pmethod = "none")
  p <- pexactgauss(m$statistic, sort(v), maxpts = 2e6, abseps = 1e-8)
  list(stat = unname(m$statistic), cut = unname(m$estimate), p = as.numeric(p), error = attr(p, "error")) }
set.seed(7); noise <- round(rnorm(nrow(gb)), 1)
R$maxstat <- list(age = exact(gb$age), size = exact(gb$size), noise = c(exact(noise), list(x = noise)))
naive <- function(v, cut) sqrt(survdiff(Surv(time, status) ~ v >= cut, gb)$chisq)
R$cutoff_by_log_rank <- list(cuts = c(40, 45, 50, 55, 60, 65), stats = sapply(c(40, 45, 50, 55, 60, 65), function(k) naive(gb$age, k)))
low <- sapply(R$cutoff_by_log_rank$cuts, function(k) sum(gb$age < k)); n <- nrow(gb)
corr <- outer(low, low, function(i, j) sqrt(pmin(i, j) * (n - pmax(i, j)) / ((n - pmin(i, j)) * pmax(i, j))))
top <- max(R$cutoff_by_log_rank$stats); set.seed(1)
p <- pmvnorm(rep(-top, 6), rep(top, 6), corr = corr, maxpts = 2e6, abseps = 1e-9)
R$cutoff_by_log_rank$p <- 1 - as.numeric(p); R$cutoff_by_log_rank$error <- attr(p, "error")
four <- c(30, 80, 100, 170); corr <- outer(four, four, function(i, j)  # numerical integration, not simulation
  sqrt(pmin(i, j) * (200 - pmax(i, j)) / ((200 - pmin(i, j)) * pmax(i, j))))
R$joint_normal <- list(n = 200, low = four, bound = c(1, 2.2, 3.1), p = sapply(c(1, 2.2, 3.1), function(b)
  1 - as.numeric(pmvnorm(rep(-b, 4), rep(b, 4), corr = corr, algorithm = Miwa(steps = 2048)))))
write_json(R, "survival.json", digits = I(15), auto_unbox = TRUE, pretty = TRUE, na = "null", null = "null", force = TRUE)
