# Reference values of the LASSO: Rscript glmnet.R (in this folder).
# glmnet's default threshold 1e-7 leaves errors near 1e-4 in the coefficients; here it is 1e-20.
suppressMessages({library(glmnet); library(jsonlite)})
gb <- read.csv("gbsg_pred.csv")
gb <- gb[gb$known3 == 1, ]
names <- c("age", "meno", "size", "grade", "nodes", "pgr", "er", "hormon")
x <- as.matrix(gb[, names]); y <- gb$y3
fold <- (seq_along(y) - 1) %% 10 + 1
n <- length(y); s <- sqrt(colSums(scale(x, scale = FALSE)^2) / n)
largest <- max(abs(crossprod(scale(x, scale = s), y - mean(y)))) / n
automatic <- glmnet(x, y, family = "binomial", thresh = 1e-20, maxit = 1e7)
path <- largest * 1e-4^((0:99) / 99)
path <- path[seq_along(automatic$lambda)]
fit <- glmnet(x, y, family = "binomial", lambda = path, thresh = 1e-20, maxit = 1e7)
cv <- cv.glmnet(x, y, family = "binomial", lambda = path, foldid = fold, type.measure = "deviance", thresh = 1e-20, maxit = 1e7)

# More covariates than patients: the first 24 patients, 8 covariates and their 28 products, constant ones left out.
pairs <- combn(8, 2)
w <- cbind(x, x[, pairs[1, ]] * x[, pairs[2, ]])[1:24, ]
w <- w[, apply(w, 2, function(v) max(v) > min(v))]
wide <- glmnet(w, y[1:24], family = "binomial", thresh = 1e-20, maxit = 1e8)
out <- list(
  meta = list(R = R.version.string, glmnet = as.character(packageVersion("glmnet")), thresh = 1e-20),
  names = names, fold = fold, largest = largest, automatic = automatic$lambda,
  intercepts = unname(fit$a0), coefficients = unname(t(as.matrix(fit$beta))), deviance_ratio = fit$dev.ratio,
  cv_mean = unname(cv$cvm), cv_se = unname(cv$cvsd), lambda_min = cv$lambda.min, lambda_1se = cv$lambda.1se,
  coef_min = as.numeric(coef(cv, s = "lambda.min")), coef_1se = as.numeric(coef(cv, s = "lambda.1se")),
  wide = list(lambda = wide$lambda, intercepts = unname(wide$a0), df = unname(wide$df),
              deviance_ratio = wide$dev.ratio, l1 = unname(colSums(abs(as.matrix(wide$beta))))))
write_json(out, "glmnet.json", digits = I(15), auto_unbox = TRUE)
