# R's parallel, future.apply and doParallel as contenders: `Rscript peers.R r-parallel|r-future|r-foreach|r-seeds`, as
# worker.py speaks.
name <- commandArgs(trailingOnly = TRUE)[1]
cores <- as.integer(Sys.getenv("BENCH_CORES", "2"))
games <- 10000L
seed <- 777L

play_dice <- function() {
  point <- 0L
  repeat {
    roll <- sum(sample.int(6L, 2L, replace = TRUE))
    if (point == 0L) {
      if (roll %in% c(7L, 11L)) return("Win")
      if (roll %in% c(2L, 3L, 12L)) return("Loss")
      point <- roll
    } else if (roll == point) {
      return("Win")
    } else if (roll == 7L) {
      return("Loss")
    }
  }
}
noop <- function(i) NULL
noops <- function(apply) {
  counts <- list(noop2 = 2L, noop100 = 100L, noop1k = 1000L, noop10k = 10000L)
  lapply(counts, function(count) function() apply(seq_len(count), noop))
}

if (name == "r-parallel") {
  cluster <- parallel::makePSOCKcluster(cores)
  parallel::clusterExport(cluster, "play_dice")
  runs <- noops(function(x, f) parallel::parLapply(cluster, x, f))
  runs$dice <- function() {
    parallel::clusterSetRNGStream(cluster, seed)
    parallel::parSapply(cluster, seq_len(games), function(i) play_dice())
  }
} else if (name == "r-foreach") {
  suppressPackageStartupMessages(library(doParallel))
  cluster <- parallel::makePSOCKcluster(cores)
  registerDoParallel(cluster)
  runs <- noops(function(x, f) foreach(i = x) %dopar% f(i))
  runs$dice <- function() {
    parallel::clusterSetRNGStream(cluster, seed)
    foreach(i = seq_len(games), .combine = c, .export = "play_dice") %dopar% play_dice()
  }
} else if (name == "r-seeds") {
  library(future.apply)
  plan(sequential)
  spent <- function(...) system.time(future_lapply(1:10000, noop, ...))[["elapsed"]]
  # Its functions that make and set seeds are internal: what they take is what a seeded call takes more than another.
  runs <- list(streams = function() spent(future.seed = seed) - spent(future.seed = FALSE))
} else {
  library(future.apply)
  plan(multisession, workers = cores)
  runs <- noops(future_lapply)
  runs$dice <- function() future_replicate(games, play_dice(), future.seed = seed)
}

sound <- function(workload, results) {
  if (workload == "streams") return(results > 0)
  if (workload != "dice") return(all(vapply(results, is.null, TRUE)))
  # 244/495 of all games are won; 300 is six standard deviations.
  length(results) == games && abs(sum(results == "Win") - games * 244 / 495) < 300
}

answer <- function(...) {
  cat(sprintf(...), "\n", sep = "")
  flush(stdout())
}

questions <- file("stdin", "r")
answer('{"ready": true}')
while (length(workload <- readLines(questions, n = 1L)) > 0) {
  invisible(gc())
  began <- Sys.time()
  results <- runs[[workload]]()
  seconds <- as.numeric(difftime(Sys.time(), began, units = "secs"))
  if (workload == "streams") seconds <- results
  if (sound(workload, results)) {
    answer('{"figure": %.6f, "fingerprint": ""}', seconds)
  } else {
    answer('{"error": "wrong result"}')
  }
}
if (exists("cluster")) parallel::stopCluster(cluster) else plan(sequential)
