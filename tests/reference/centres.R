# Reference values of random-effects summaries beyond refs.R.  Run in tests/reference: Rscript centres.R
suppressPackageStartupMessages({library(metafor); library(jsonlite)})
refs <- fromJSON("refs.json")
R <- list(meta = list(R = R.version.string, metafor = as.character(packageVersion("metafor"))))
tight <- list(threshold = 1e-14, maxiter = 1000)
fit <- function(yi, vi, test) rma(yi = yi, vi = vi, method = "REML", test = test, control = tight)
row <- function(f) list(mu = as.numeric(f$beta), se = f$se, ci = c(f$ci.lb, f$ci.ub), p = f$pval, tau2 = f$tau2, I2 = f$I2, Q = f$QE, Qp = f$QEp)

# Q-profile intervals; refs.json used confint's default tolerance of 1.2e-4
for (m in c("meta_lung_logitC", "meta_rotyear_logitC", "meta_bcg_logRR"))
  R$tau2_ci[[m]] <- unname(confint(fit(refs[[m]]$yi, refs[[m]]$vi, "z"), control = list(tol = 1e-15))$random[1, 2:3])

# leave-one-out and few centres
l <- refs$meta_lung_logitC; b <- refs$meta_bcg_logRR
R$leave_one_out <- lapply(seq_along(l$yi), function(i) row(fit(l$yi[-i], l$vi[-i], "adhoc")))
R$bcg_first <- lapply(2:4, function(k) row(fit(b$yi[1:k], b$vi[1:k], "adhoc")))

# prior of tau: posterior by adaptive quadrature, three centres on the scale of C
y <- c(.80, .74, .69); s <- c(.030, .025, .040); mu0 <- -2.936; sd0 <- .268
post <- function(lt) sapply(lt, function(x) {w <- 1/(s^2 + exp(2*x)); m <- sum(w*y)/sum(w)
  dnorm(x, mu0, sd0) * prod(sqrt(w)) / sqrt(sum(w)) * exp(-sum(w*(y-m)^2)/2)})
int <- function(f, to = mu0 + 8*sd0) integrate(f, mu0 - 8*sd0, to, rel.tol = 1e-12, subdivisions = 2000)$value
total <- int(post)
fm <- function(lt) sapply(lt, function(x) {w <- 1/(s^2 + exp(2*x)); sum(w*y)/sum(w)})
fv <- function(lt) sapply(lt, function(x) 1/sum(1/(s^2 + exp(2*x))))
mean_mu <- int(function(x) post(x)*fm(x))/total
below <- function(q, new) int(function(x) post(x)*pnorm(q, fm(x), sqrt(fv(x) + new*exp(2*x))))/total
solve_q <- function(p, new) uniroot(function(q) below(q, new) - p, c(0, 1.5), tol = 1e-13)$root
tau_q <- function(p) exp(uniroot(function(x) int(post, x)/total - p, mu0 + c(-5, 5)*sd0, tol = 1e-13)$root)
R$prior <- list(y = y, se = s, log_mean = mu0, log_sd = sd0, mean = mean_mu,
  se_mean = sqrt(int(function(x) post(x)*(fv(x) + (fm(x) - mean_mu)^2))/total),
  ci = c(solve_q(.025, 0), solve_q(.975, 0)), pi = c(solve_q(.025, 1), solve_q(.975, 1)),
  tau = c(tau_q(.025), tau_q(.5), tau_q(.975)), p_below_.70 = below(.70, 1))
write_json(R, "centres.json", digits = 15, auto_unbox = TRUE, pretty = TRUE)
