# Writes what R's glm says about the formulas of formulas.csv into formulas_results.csv, and the data that only they use
# beside it. Run it in this folder: Rscript formulas.R
suppressMessages({library(MASS); library(splines)})
invisible(Sys.setlocale("LC_COLLATE", "C"))  # levels of text sort as in Python and Spark
gaps <- transform(mtcars, gear = c("three", "four", "five")[gear - 2], cyl = factor(cyl))
gaps$wt[c(3, 9)] <- NA
gaps$gear[c(5, 30)] <- NA
gaps$hp[12] <- NA
data <- list(
  mtcars = mtcars, iris = iris, airquality = airquality, warpbreaks = transform(warpbreaks, breaks0 = rev(breaks)),
  infert = infert[, 1:6], InsectSprays = InsectSprays,
  esoph = esoph, ToothGrowth = ToothGrowth, ChickWeight = as.data.frame(ChickWeight[ChickWeight$Diet != 4, ]),
  CO2 = as.data.frame(CO2), quine = quine, birthwt = birthwt, anorexia = anorexia, menarche = menarche, gaps = gaps,
  budworm = data.frame(ldose = rep(0:5, 2), numdead = c(1, 4, 9, 13, 18, 20, 0, 2, 6, 10, 12, 16), n = 20,
                       sex = rep(c("M", "F"), each = 6)),
  odd = data.frame(y = c(3.1, 4.2, 5.9, 8.1, 9.7, 12.2, 13.8, 16.1), `body mass` = c(1, 2, 3, 4, 5, 6, 7, 9),
                   `a group` = rep(c("p", "q"), 4), flag = rep(c(TRUE, FALSE, FALSE, TRUE), 2), check.names = FALSE))
own <- setdiff(names(data), c("mtcars", "iris", "airquality", "warpbreaks", "infert", "InsectSprays"))
for (name in own) write.csv(format(data[[name]], digits = 15, trim = TRUE), paste0(name, ".csv"),
                            row.names = FALSE, quote = FALSE)
levels <- NULL
for (name in own) for (column in names(Filter(is.factor, data[[name]])))
  levels <- rbind(levels, data.frame(data = name, column = column, level = levels(data[[name]][[column]]),
                                     ordered = is.ordered(data[[name]][[column]])))
write.csv(levels, "formulas_levels.csv", row.names = FALSE)
families <- list(gamma = Gamma)
cases <- read.csv("formulas.csv", colClasses = "character")
results <- NULL
for (i in seq_len(nrow(cases))) {
  case <- cases[i, ]
  make <- if (is.null(families[[case$family]])) get(case$family) else families[[case$family]]
  weights <- if (case$pweights != "") data[[case$data]][[case$pweights]] else rep(1, nrow(data[[case$data]]))
  formula <- as.formula(case$formula)
  environment(formula) <- environment()
  eta <- NULL
  for (round in 1:2) {  # the second time to the last digits
    fit <- suppressWarnings(glm(formula, make(), data[[case$data]], weights = weights, etastart = eta,
                                na.action = na.exclude))
    eta <- predict(fit)
  }
  all <- names(coef(fit))
  errors <- setNames(rep(NA, length(all)), all)
  told <- coef(summary(fit))
  errors[rownames(told)] <- told[, 2]
  results <- rbind(results, data.frame(
    formula = case$formula, data = case$data,
    key = c(rep(c("coefficient", "error"), each = length(all)), "deviance", "nullDeviance", "aic", "dfResidual", "dfNull",
            "rank", "missing"),
    name = c(all, all, rep("", 7)),
    value = c(coef(fit), errors, fit$deviance, fit$null.deviance, fit$aic, fit$df.residual, fit$df.null, fit$rank,
              length(fit$na.action))))
}
results$value <- format(results$value, digits = 15, scientific = TRUE, trim = TRUE)
write.csv(results, "formulas_results.csv", row.names = FALSE)
