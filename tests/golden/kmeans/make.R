# Writes what R's kmeans (Lloyd) says about the cases of cases.csv, whose data are those of ../glm, from rows of the data
# as starting centres, into results.csv; of the first also what R prints. Run it in this folder: Rscript make.R
options(width = 80)
cases <- read.csv("cases.csv", colClasses = "character")
results <- NULL
for (i in seq_len(nrow(cases))) {
  case <- cases[i, ]
  table <- read.csv(file.path("..", "glm", paste0(case$data, ".csv")), stringsAsFactors = TRUE)
  x <- model.matrix(as.formula(case$formula), table)[, -1, drop = FALSE]  # rows with missing values are out
  starts <- as.integer(strsplit(case$starts, " ")[[1]])
  fit <- kmeans(x, x[as.character(starts), , drop = FALSE], iter.max = 1000, algorithm = "Lloyd")
  rownames(fit$centers) <- seq_along(fit$size)
  if (i == 1) {
    sink("printed.txt")
    print(fit)
    sink()
  }
  rows <- rbind(
    data.frame(key = paste0("centers.", rep(colnames(x), each = nrow(fit$centers))), name = rownames(fit$centers),
               value = as.vector(fit$centers)),
    data.frame(key = rep(c("size", "withinss"), each = length(fit$size)), name = rownames(fit$centers),
               value = c(fit$size, fit$withinss)),
    data.frame(key = c("totss", "totWithinss", "betweenss", "iterations"), name = "",
               value = c(fit$totss, fit$tot.withinss, fit$betweenss, fit$iter)),
    data.frame(key = "cluster", name = rownames(x), value = fit$cluster))
  results <- rbind(results, cbind(case = case$case, rows))
}
results$value <- format(results$value, digits = 15, scientific = TRUE, trim = TRUE)
write.csv(results, "results.csv", row.names = FALSE, quote = c(1, 2, 3))
