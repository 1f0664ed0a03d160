"""Several hosts on one machine: `scripts/lab` runs this package.

    command.py   the command line
    lab.py       brings hosts up, and down; goes between the command and the switch
    host.py      the first process of a host, which makes its surroundings
    switch.py    the network between the hosts, and the process on which all of them depend
    wires.py     messages to the switch, and network devices that end in a process
    services.py  programs that hosts run from their boot on: Spark standalone, or those of hadoop.py
    hadoop.py    HDFS and YARN

A host is a set of Linux namespaces: network, mounts, processes, host name, shared memory. It ends with its first
process, and that ends with the switch. So there is one process to end, and nothing that could be left over: network
devices and mounts live in namespaces, and go with them.
"""
