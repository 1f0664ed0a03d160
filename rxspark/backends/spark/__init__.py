"""Run calls on Spark: classic sessions with a JVM in the driver, and Spark Connect."""
