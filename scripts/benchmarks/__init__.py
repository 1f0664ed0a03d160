"""rxspark beside its peers: `scripts/bench` runs this package.

    __main__.py    options; starts the contenders, asks them in turn, writes what they answered
    workloads.py   what is to be done, and how its result is checked
    tasks.py       what the tasks of a workload do, and the data that they work on
    jobs.py        the work that only rxspark does: jobs that one comes back to
    memory.py      how many copies of an object a contender holds
    contenders.py  who does it, one class a system
    empty.py       the processor time of a task that does nothing
    shipping.py    the same of elements and results of many kinds
    driver.py      what the driver alone does with ten million tasks
    executors.py   what many executors cost the driver
    cluster.py     a Spark with many small executors
    processes.py   the processor time and memory of processes
    start_up.py    what the start of Spark takes, with several options of its JVM
    worker.py      one contender in a process of its own, which keeps its session warm between calls
    peers.R        the same for R
    report.py      tables, targets, growth, plot

Spark sessions with different settings cannot share a process, and one system's idle threads are not to slow
another's calls more than all others': hence one process a contender, all alive at once, asked in turn.
"""
