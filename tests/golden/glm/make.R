# Writes what R's glm says about the models of cases.csv, for R's own data sets, into results.csv, and the data beside it;
# of two models also what R prints. Run it in this folder, with the packages MASS and statmod: Rscript make.R
options(contrasts = c("contr.treatment", "contr.treatment"), width = 120)
shares <- reshape(as.data.frame(UCBAdmissions), idvar = c("Gender", "Dept"), timevar = "Admit", direction = "wide")
shares$n <- shares$Freq.Admitted + shares$Freq.Rejected
data <- list(
  dobson = data.frame(counts = c(18, 17, 15, 20, 10, 20, 25, 13, 12), outcome = gl(3, 1, 9), treatment = gl(3, 3)),
  InsectSprays = InsectSprays, warpbreaks = transform(warpbreaks, breaks0 = rev(breaks)), airquality = airquality,
  iris = iris, longley = longley, mtcars = mtcars, infert = infert[, 1:6], UCBAdmissions = as.data.frame(UCBAdmissions),
  shares = data.frame(Gender = shares$Gender, Dept = shares$Dept, n = shares$n, share = shares$Freq.Admitted / shares$n),
  quine = MASS::quine, moths = data.frame(
    sex = gl(2, 6, labels = c("M", "F")), dose = rep(2^(0:5), 2), n = c(20, 21, 20, 19, 20, 20, 20, 0, 20, 18, 20, 22),
    dead = c(1, 4, 9, 12, 18, 20, 0, 0, 6, 9, 12, 17), half = rep(c(1, 2, 3), 4)), trees = trees, clotting = data.frame(u = c(5, 10, 15, 20, 30, 40, 60, 80, 100),
                                       lot1 = c(118, 58, 42, 35, 27, 25, 21, 19, 18)), cars = cars)
for (name in names(data)) write.csv(format(data[[name]], digits = 15, trim = TRUE), paste0(name, ".csv"),
                                    row.names = FALSE, quote = FALSE)
levels <- NULL
for (name in names(data)) for (column in names(Filter(is.factor, data[[name]])))
  levels <- rbind(levels, data.frame(data = name, column = column, level = levels(data[[name]][[column]])))
write.csv(levels, "levels.csv", row.names = FALSE)
families <- list(gamma = Gamma)
cases <- read.csv("cases.csv", colClasses = "character")
results <- NULL
for (i in seq_len(nrow(cases))) {
  case <- cases[i, ]
  table <- data[[case$data]]
  if (case$fweights != "") table <- table[rep(seq_len(nrow(table)), table[[case$fweights]]), ]
  if (case$rowSelection != "") table <- subset(table, eval(parse(text = case$rowSelection)))
  table$.w <- if (case$pweights != "") table[[case$pweights]] else rep(1, nrow(table))
  name <- if (case$family == "gamma") "Gamma" else case$family
  # A power of the mean is a link of statmod's; R's own are named.
  link <- if (case$linkPower == "") case$link else statmod::tweedie(link.power = as.numeric(case$linkPower))
  link <- if (inherits(link, "family")) structure(c(link[c("linkfun", "linkinv", "mu.eta", "valideta")],
                                                    name = link$link), class = "link-glm") else link
  family <- switch(name,
    tweedie = statmod::tweedie(as.numeric(case$varPower), if (case$linkPower == "") 1 - as.numeric(case$varPower)
                               else as.numeric(case$linkPower)),
    negative.binomial = if (case$theta != "") eval(substitute(MASS::negative.binomial(t, l),
                                                              list(t = as.numeric(case$theta), l = link))),
    quasi = eval(substitute(quasi(link = l, variance = v), list(l = link, v = case$variance))),
    eval(substitute(make(link = l), list(make = as.name(name), l = if (is.list(link)) quote(link) else link))))
  formula <- as.formula(case$formula)
  if (case$formula == "Sepal.Length ~ .") formula <- Sepal.Length ~ Sepal.Width + Petal.Length + Petal.Width + Species
  start <- list(airquality_log = c(4, 0, 0), infert_log_binomial = c(-1, 0.1, 0))[[case$case]]
  # Least squares need no iteration, and glm sees what is collinear by its epsilon; all else iterates to the last digit.
  epsilon <- if (case$link == "identity" && case$family == "gaussian") 1e-8 else 1e-30
  fit <- suppressWarnings(
    if (is.null(family)) eval(substitute(MASS::glm.nb(formula, table, weights = .w, link = l,
                                                      control = glm.control(1e-14, 100)), list(l = link)))
    else glm(formula, family, table, weights = .w, start = start, epsilon = epsilon, maxit = 60))
  told <- coef(summary(fit))
  all <- names(coef(fit))
  full <- matrix(NA, length(all), 4, dimnames = list(all, NULL))
  full[rownames(told), ] <- told
  rows <- rbind(
    data.frame(key = rep(c("coefficient", "error", "statistic", "p"), each = length(all)), name = rep(all, 4),
               value = as.vector(full)),
    data.frame(key = c("deviance", "nullDeviance", "aic", "dispersion", "dfResidual", "dfNull", "rank", "missing"),
               name = "", value = c(fit$deviance, fit$null.deviance, fit$aic, summary(fit)$dispersion, fit$df.residual,
                                    fit$df.null, fit$rank, length(fit$na.action))),
    data.frame(key = "fitted", name = seq_along(head(fitted(fit), 5)), value = unname(head(fitted(fit), 5))))
  for (kind in c("deviance", "pearson", "working", "response")) rows <- rbind(
    rows, data.frame(key = paste0("residual.", kind), name = 1:5, value = unname(head(residuals(fit, kind), 5))))
  if (!is.null(fit$SE.theta)) {  # glm.nb takes the standard error one step too early, at four digits of theta
    last <- MASS::theta.ml(fit$y, fitted(fit), weights = fit$prior.weights, limit = 100, eps = 1e-12)
    rows <- rbind(rows, data.frame(key = c("theta", "thetaError"), name = "", value = c(fit$theta, attr(last, "SE"))))
  }
  results <- rbind(results, cbind(case = case$case, rows))
}
results$value <- format(results$value, digits = 15, scientific = TRUE, trim = TRUE)
write.csv(results, "results.csv", row.names = FALSE, quote = c(1, 2, 3))

options(useFancyQuotes = FALSE)
sink("printed.txt")
print(summary(glm(breaks ~ wool * tension, poisson(), warpbreaks)))
print(summary(glm(Ozone ~ Wind + Temp, data = airquality)))
print(glm(am ~ wt + hp, binomial(), mtcars, epsilon = 1e-14))
sink()
