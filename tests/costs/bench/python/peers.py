"""One slice of a workload on a pool of Python's, which measures itself.

usage: peers.py threads|processes WORKLOAD WORKERS SECONDS CHUNK

Prints nanoseconds of time and of CPU a job: the median batch's time, the CPU of this process and of
its children.
"""

import collections
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor


def job(number):
    return number + 1


def check(number, result):
    assert result == number + 1


def warm(pool):
    for number in range(64):
        check(number, pool.submit(job, number).result())
    return 64


def burst(pool):
    jobs = [pool.submit(job, number) for number in range(1024)]
    for number, future in enumerate(jobs):
        check(number, future.result())
    return 1024


def window(pool, width=64, count=1024):
    under_way = collections.deque()
    for number in range(count):
        if len(under_way) == width:
            check(number - width, under_way.popleft().result())
        under_way.append(pool.submit(job, number))
    for offset, future in enumerate(under_way):
        check(count - width + offset, future.result())
    return count


def in_chunks(pool, chunk):
    results = pool.map(job, range(10_000), chunksize=chunk)
    for number, result in enumerate(results):
        check(number, result)
    return 10_000


def cold(pool):
    start = time.perf_counter_ns()
    check(0, pool.submit(job, 0).result())
    return time.perf_counter_ns() - start


def cpu():
    times = os.times()
    return sum(times[:4]) * 1e9


def main():
    kind, workload, workers, seconds, chunk = sys.argv[1:]
    kinds = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}
    batches = {
        "warm": warm,
        "burst": burst,
        "window": window,
        "process-round-trip": warm,
        "process-window": lambda pool: window(pool, 128, 10_000),
        "process-map": lambda pool: in_chunks(pool, int(chunk)),
    }
    length = float(seconds) * 1e9
    times = []
    with kinds[kind](int(workers)) as pool:
        burst(pool)
        cpu_before, jobs = cpu(), 0
        start = time.perf_counter_ns()
        while len(times) < 3 or time.perf_counter_ns() - start < length:
            if workload == "cold":
                idle = time.perf_counter_ns()
                while time.perf_counter_ns() - idle < 200_000:
                    pass
                times.append(cold(pool))
                continue
            batch = time.perf_counter_ns()
            count = batches[workload](pool)
            times.append((time.perf_counter_ns() - batch) / count)
            jobs += count
    # Children are counted when they have ended.
    of_cpu = (cpu() - cpu_before) / jobs if jobs and kind == "threads" else None
    print(statistics.median(times), of_cpu)


if __name__ == "__main__":
    main()
