## Reference values for logistic regression, splines and calibration.  Run in this folder: Rscript calibration.R
suppressPackageStartupMessages({library(survival); library(Hmisc); library(jsonlite)})
R <- list(meta = list(R = R.version.string, packages = lapply(c(survival = "survival", Hmisc = "Hmisc", jsonlite = "jsonlite"), function(p) as.character(packageVersion(p)))))
g <- read.csv("gbsg_pred.csv"); b <- g[g$known3 == 1, ]; y <- b$y3; p <- b$pA3
tight <- glm.control(epsilon = 1e-15, maxit = 50)
exact <- function(f) update(f, start = coef(f))   # once more from the maximum: glm keeps the covariance of its last step's start

## restricted cubic splines: 3, 4, 5 knots, many and few values, knots given
spline <- function(x, nk) list(knots = attr(rcspline.eval(x, nk = nk), "knots"), basis = unname(rcspline.eval(x, nk = nk, inclx = TRUE)[1:5, ]))
R$rcs <- list(gbsg = lapply(3:5, function(k) spline(g$lpA, k)), first60 = lapply(3:5, function(k) spline(g$lpA[1:60], k)),
  given = unname(rcspline.eval(g$nodes[1:20], knots = c(1, 3, 9), inclx = TRUE)[, ]))

## logistic regression
model <- function(f) list(coef = unname(coef(f)), vcov = unname(vcov(f)), loglik = as.numeric(logLik(f)))
w <- (b$pid %% 4)
full <- exact(glm(y3 ~ age + lnodes + grade3 + hormon, binomial, b, control = tight))
offs <- exact(glm(y3 ~ age + lnodes + offset(0.5 * lpA), binomial, b, control = tight))
wght <- exact(glm(y3 ~ age + lnodes, binomial, b, weights = w, control = tight))
null <- function(f) -f$null.deviance / 2
R$logistic <- list(plain = c(model(full), null = null(full)), offset = c(model(offs), null = null(offs)), weighted = c(model(wght), null = null(wght), n = sum(w)))

## Poisson calibration, standard errors at convergence
p0 <- exact(glm(status ~ offset(log(expA)), poisson, g, subset = expA > 0, control = tight))
p1 <- exact(glm(status ~ lpA + offset(log(expA) - lpA), poisson, g, subset = expA > 0, control = tight))
R$poisson <- list(intercept_se = sqrt(vcov(p0)[1]), slope = unname(coef(p1)[2]), slope_se = sqrt(vcov(p1)[2, 2]))
lg <- qlogis(p)
R$binary <- list(slope_se = sqrt(vcov(exact(glm(y ~ lg, binomial, control = tight)))[2, 2]), citl_se = sqrt(vcov(exact(glm(y ~ offset(lg), binomial, control = tight)))[1]))

## curves on 101 points between the 1st and 99th percentile
grid <- function(p) seq(quantile(p, .01), quantile(p, .99), length.out = 101)
kn <- attr(rcspline.eval(lg, nk = 3), "knots"); fit <- exact(glm(y ~ rcspline.eval(lg, kn, inclx = TRUE), binomial, control = tight))
R$curve <- list(spline = as.numeric(plogis(cbind(1, rcspline.eval(qlogis(grid(p)), kn, inclx = TRUE)) %*% coef(fit))),
  lowess = approx(lowess(p, y, iter = 0), xout = grid(p), ties = mean)$y)
q <- g$pA5; cll <- log(-log(1 - q)); kn <- attr(rcspline.eval(cll, nk = 3), "knots")
d <- data.frame(time = g$time, status = g$status, a = cll, b = rcspline.eval(cll, kn)[, 1])
cx <- coxph(Surv(time, status) ~ a + b, d, control = coxph.control(eps = 1e-12, toler.chol = 1e-13))
at <- data.frame(a = log(-log(1 - grid(q))), b = rcspline.eval(log(-log(1 - grid(q))), kn)[, 1])
R$curve$cox <- as.numeric(1 - summary(survfit(cx, newdata = at), times = 5)$surv)

## Cox regression on repeated rows with many ties
r <- g[rep(seq_len(nrow(g)), g$pid %% 4), ]; r$months <- ceiling(r$time * 4)
cr <- coxph(Surv(months, status) ~ age + lnodes, r, control = coxph.control(eps = 1e-12, toler.chol = 1e-13))
R$repeated_cox <- list(coef = unname(coef(cr)), H8 = summary(survfit(cr, newdata = data.frame(age = 0, lnodes = 0)), times = 8)$cumhaz)

## Greenwood-Nam-D'Agostino at 1 year, groups below 5 events merged upwards: events by decile first
S <- with(g, Surv(time, status)); dec <- cut(g$pA1, quantile(g$pA1, 0:10 / 10), include.lowest = TRUE, labels = FALSE)
ev <- tapply(g$status == 1 & g$time <= 1, dec, sum)
m <- integer(10); cur <- 1; s <- 0; for (k in 1:10) { m[k] <- cur; s <- s + ev[k]; if (s >= 5) { cur <- cur + 1; s <- 0 } }; if (s > 0) m[m == cur] <- cur - 1
part <- lapply(split(seq_len(nrow(g)), m[dec]), function(i) { k <- summary(survfit(S[i] ~ 1), times = 1); c(n = length(i), events = sum(g$status[i] == 1 & g$time[i] <= 1), pred = mean(g$pA1[i]), obs = 1 - k$surv, se = k$std.err) })
part <- do.call(rbind, part); chisq <- sum((part[, "obs"] - part[, "pred"])^2 / part[, "se"]^2)
R$gnd <- list(events = as.numeric(ev), groups = as.data.frame(part), chisq = chisq, p = pchisq(chisq, nrow(part) - 1, lower.tail = FALSE))

## Hosmer-Lemeshow with equal predictions: the computation of ResourceSelection::hoslem.test
hl <- function(y, p, k) { c <- cut(p, unique(quantile(p, seq(0, 1, 1 / k))), include.lowest = TRUE)
  o <- xtabs(cbind(1 - y, y) ~ c); e <- xtabs(cbind(1 - p, p) ~ c); list(chisq = sum((o - e)^2 / e), groups = nlevels(c), n = as.numeric(table(c))) }
R$hl <- list(five = hl(y, p, 5), ties = hl(y, round(p, 1), 10))
write_json(R, "calibration.json", digits = I(15), auto_unbox = TRUE, pretty = TRUE)
