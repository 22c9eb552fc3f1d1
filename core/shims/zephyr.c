/* The functions of corepool::ports::rtos for Zephyr, with one core or with several (SMP).
 *
 * Compile it in the application, with CONFIG_THREAD_LOCAL_STORAGE=y. Each thread that calls a pool has a semaphore of
 * its own, which is the task of `may_be_deleted`. A zero-latency interrupt does not use a pool.
 */

#include <stdint.h>

#include <zephyr/kernel.h>
#include <zephyr/kernel_structs.h>

#ifdef CONFIG_CPU_CORTEX_M
#include <cmsis_core.h>
#endif

static __thread struct k_sem own;
static __thread bool is_ready;

static struct k_sem *own_semaphore(void)
{
    if (!is_ready) {
        k_sem_init(&own, 0, 1);
        is_ready = true;
    }
    return &own;
}

/* The number of the exception on a Cortex-M, where the kernel does not count nested handlers. Elsewhere the kernel's
 * count of them. */
static inline uint32_t handler(void)
{
#ifdef CONFIG_CPU_CORTEX_M
    return __get_IPSR();
#else
    return arch_curr_cpu()->nested;
#endif
}

uintptr_t corepool_port_context(void **task)
{
    *task = NULL;
    if (k_is_in_isr()) {
        /* Handlers may interrupt each other, so the name has the handler and its core. A handler stays on its core. The
         * name 1 is that of the code before the kernel's start. */
        return 2 + (uintptr_t)handler() * CONFIG_MP_MAX_NUM_CPUS + arch_curr_cpu()->id;
    }
    if (k_is_pre_kernel()) {
        return 1;
    }
    *task = own_semaphore();
    return (uintptr_t)k_current_get();
}

void corepool_port_notify(void *task)
{
    k_sem_give(task);
}

void corepool_port_wait(uint64_t microseconds)
{
    /* A longer wait returns early, which the shim may do. */
    const uint64_t longest = INT32_MAX;
    k_timeout_t timeout = microseconds == UINT64_MAX ? K_FOREVER : K_USEC(MIN(microseconds, longest));
    k_sem_take(own_semaphore(), timeout);
}

/* A less urgent thread has a greater priority, and cooperative threads have negative ones. */
uint8_t corepool_port_urgency(void)
{
    int urgency = K_LOWEST_APPLICATION_THREAD_PRIO - k_thread_priority_get(k_current_get());
    return (uint8_t)CLAMP(urgency, 0, UINT8_MAX);
}

uint64_t corepool_port_now(void)
{
    return k_ticks_to_us_floor64((uint64_t)k_uptime_ticks());
}
