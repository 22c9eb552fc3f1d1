/* The functions of corepool::ports::rtos for the FreeRTOS kernel, with one core or with several (SMP).
 *
 * Compile it with the kernel's headers, and link it. It needs
 *
 *     configUSE_TASK_NOTIFICATIONS             1
 *     configTASK_NOTIFICATION_ARRAY_ENTRIES    2 or more
 *     INCLUDE_xTaskGetCurrentTaskHandle        1
 *     INCLUDE_xTaskGetSchedulerState           1
 *     INCLUDE_uxTaskPriorityGet                1
 *
 * A pool uses one task notification of each task that calls it: that with the index below. Index 0 is left to the
 * application and to the kernel's stream buffers. A handler more urgent than configMAX_SYSCALL_INTERRUPT_PRIORITY does
 * not use a pool.
 */

#include <stdint.h>

#include "FreeRTOS.h"
#include "task.h"

#ifndef COREPOOL_NOTIFICATION_INDEX
#define COREPOOL_NOTIFICATION_INDEX 1
#endif

#if COREPOOL_NOTIFICATION_INDEX >= configTASK_NOTIFICATION_ARRAY_ENTRIES
#error "raise configTASK_NOTIFICATION_ARRAY_ENTRIES, or lower COREPOOL_NOTIFICATION_INDEX"
#endif

/* Whether a handler calls. Ports without xPortIsInsideInterrupt define COREPOOL_IN_HANDLER. */
#ifndef COREPOOL_IN_HANDLER
#define COREPOOL_IN_HANDLER() (xPortIsInsideInterrupt() != pdFALSE)
#endif

/* The number of the handler that is under way: two handlers of which one interrupts the other have different numbers.
 * On a Cortex-M it is the exception's number. Elsewhere it is 1, which is right where no handler interrupts another.
 * The number is less than any task's address. */
#ifndef COREPOOL_HANDLER
#if defined(__arm__) && defined(__ARM_ARCH_PROFILE) && (__ARM_ARCH_PROFILE == 'M')
static inline uintptr_t corepool_handler(void)
{
    uintptr_t number;
    __asm volatile("mrs %0, ipsr" : "=r"(number));
    return number & 0x1ff;
}
#define COREPOOL_HANDLER() corepool_handler()
#else
#define COREPOOL_HANDLER() 1
#endif
#endif

uintptr_t corepool_port_context(void **task)
{
    *task = NULL;
    if (COREPOOL_IN_HANDLER()) {
#if defined(configNUMBER_OF_CORES) && configNUMBER_OF_CORES > 1
        return 1 + (uintptr_t)COREPOOL_HANDLER() * configNUMBER_OF_CORES + portGET_CORE_ID();
#else
        return 1 + (uintptr_t)COREPOOL_HANDLER();
#endif
    }
    if (xTaskGetSchedulerState() == taskSCHEDULER_NOT_STARTED) {
        return 1;
    }
    TaskHandle_t current = xTaskGetCurrentTaskHandle();
    if (xTaskGetSchedulerState() == taskSCHEDULER_RUNNING) {
        *task = current;
    }
    return (uintptr_t)current;
}

void corepool_port_notify(void *task)
{
    if (COREPOOL_IN_HANDLER()) {
        BaseType_t woken = pdFALSE;
        vTaskNotifyGiveIndexedFromISR((TaskHandle_t)task, COREPOOL_NOTIFICATION_INDEX, &woken);
        portYIELD_FROM_ISR(woken);
    } else {
        xTaskNotifyGiveIndexed((TaskHandle_t)task, COREPOOL_NOTIFICATION_INDEX);
    }
}

void corepool_port_wait(uint64_t microseconds)
{
    /* For the kernel, portMAX_DELAY may be no limit at all. */
    TickType_t ticks = portMAX_DELAY;
    if (microseconds != UINT64_MAX) {
        /* Until the first tick after the end. A longer wait returns early, which the shim may do. */
        uint64_t whole = microseconds / 1000000 * configTICK_RATE_HZ
            + microseconds % 1000000 * configTICK_RATE_HZ / 1000000 + 1;
        ticks = whole < portMAX_DELAY ? (TickType_t)whole : portMAX_DELAY - 1;
    }
    ulTaskNotifyTakeIndexed(COREPOOL_NOTIFICATION_INDEX, pdTRUE, ticks);
}

uint8_t corepool_port_urgency(void)
{
    UBaseType_t priority = uxTaskPriorityGet(NULL);
    return priority < UINT8_MAX ? (uint8_t)priority : UINT8_MAX;
}

/* The kernel counts ticks, and how often that count has wrapped. This function reads both together, with the kernel's
 * interrupts masked. */
uint64_t corepool_port_now(void)
{
    TimeOut_t time;
    if (COREPOOL_IN_HANDLER()) {
        UBaseType_t mask = taskENTER_CRITICAL_FROM_ISR();
        vTaskInternalSetTimeOutState(&time);
        taskEXIT_CRITICAL_FROM_ISR(mask);
    } else if (xTaskGetSchedulerState() == taskSCHEDULER_NOT_STARTED) {
        /* No tick comes yet. A critical section would leave the interrupts masked. */
        vTaskInternalSetTimeOutState(&time);
    } else {
        /* On several cores, the form for handlers is not allowed in a task. */
        taskENTER_CRITICAL();
        vTaskInternalSetTimeOutState(&time);
        taskEXIT_CRITICAL();
    }
    uint64_t ticks = time.xTimeOnEntering;
#if configTICK_TYPE_WIDTH_IN_BITS == TICK_TYPE_WIDTH_16_BITS
    ticks += (uint64_t)(UBaseType_t)time.xOverflowCount << 16;
#elif configTICK_TYPE_WIDTH_IN_BITS == TICK_TYPE_WIDTH_32_BITS
    ticks += (uint64_t)(UBaseType_t)time.xOverflowCount << 32;
#endif
    return ticks / configTICK_RATE_HZ * 1000000 + ticks % configTICK_RATE_HZ * 1000000 / configTICK_RATE_HZ;
}
