//! The end of a process: the work of its pools is done before. CPython: `test_shutdown.py`, whose interpreter ends
//! when `main` has returned.
//!
//! Each test runs this program again, with the name of a scene. The scene's jobs wait at a gate. An exit handler that
//! the scene registers after it has built its pool opens the gate, so the process is at its end by then.

use std::{
    env,
    process::{Command, ExitCode, Output, exit},
    sync::{LazyLock, Mutex, mpsc::channel},
    thread,
};

use corepool::{ShutdownError, SubmitError};
use corepool_std::{
    ThreadPool, ThreadPoolBuilder,
    process::{ProcessPool, ProcessPoolBuilder, run_worker_if_asked},
};
use corepool_tests::{
    Gate, PATIENCE, generation, run_for,
    travelling::{AtGate, FileGate, JOBS, Note, Notes},
};
use libtest_mimic::{Arguments, Trial};

const SCENE: &str = "COREPOOL_TEST_SCENE";

/// A global pool, with one thread unless the scene says otherwise.
static POOL: LazyLock<ThreadPool> = LazyLock::new(|| builder().max_workers(1).build().unwrap());

/// The gate of the jobs, which opens when the process ends.
static AT_EXIT: LazyLock<Gate> = LazyLock::new(Gate::new);

/// The gate of the children's jobs, which opens then, too.
static GATE_OF_CHILDREN: Mutex<Option<FileGate>> = Mutex::new(None);

fn builder() -> ThreadPoolBuilder {
    ThreadPool::builder()
}

extern "C" fn open_gate() {
    AT_EXIT.open();
    drop(GATE_OF_CHILDREN.lock().unwrap().take());
}

/// Builds the pool, and has the gate opened at exit, before the pool's hook.
fn pool() -> &'static ThreadPool {
    let pool = &*POOL;
    open_at_exit();
    pool
}

fn open_at_exit() {
    // SAFETY: the handler may be called at any time, and does not unwind.
    assert_eq!(unsafe { libc::atexit(open_gate) }, 0);
}

/// Tells the test.
fn say(text: &str) {
    eprintln!("said: {text}");
}

/// Submits a job that goes on when the process is at its end.
fn say_at_the_end(pool: &ThreadPool, text: &'static str) {
    pool.submit_detached(move || {
        AT_EXIT.wait();
        say(text);
    })
    .unwrap();
}

fn run_scene(name: &str) -> Output {
    run_scene_with(name, "")
}

fn run_scene_with(name: &str, argument: &str) -> Output {
    Command::new(env::current_exe().unwrap())
        .env(SCENE, name)
        .arg(argument)
        .output()
        .unwrap()
}

/// The words of a scene, and its exit status.
fn said(name: &str) -> (Vec<String>, Option<i32>) {
    let output = run_scene(name);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let said = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("said: "));
    (said.map(String::from).collect(), output.status.code())
}

// The scenes, and the tests of them.

/// CPython: `test_interpreter_shutdown`.
fn work_in_a_global_pool_is_done_when_main_returns() {
    let (said, status) = said("return");
    assert_eq!(
        (said, status),
        (vec!["first".into(), "queued".into()], Some(0))
    );
}

fn return_from_main() {
    let pool = pool();
    say_at_the_end(pool, "first");
    say_at_the_end(pool, "queued");
}

fn a_task_of_a_global_pool_is_done_when_main_returns() {
    assert_eq!(said("task"), (vec!["task".into()], Some(0)));
}

fn leave_a_task() {
    let pool = pool();
    let job = pool.submit(|| AT_EXIT.wait()).unwrap();
    let task = async move {
        job.await.unwrap();
        say("task");
    };
    drop(pool.spawn(task).unwrap());
}

/// The children do their work, too.
fn work_of_a_global_process_pool_is_done_when_main_returns() {
    let notes = Notes::new();
    let output = run_scene_with("children", &notes.path());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(notes.read(), [1]);
}

fn leave_work_to_children(path: String) {
    static CHILDREN: LazyLock<ProcessPool> = LazyLock::new(|| {
        let builder = ProcessPool::builder(&JOBS).max_workers(1);
        builder.build().unwrap()
    });
    let gate = FileGate::new();
    drop(CHILDREN.submit(gate.job()).unwrap());
    drop(CHILDREN.submit(Note(path, 1)).unwrap());
    *GATE_OF_CHILDREN.lock().unwrap() = Some(gate);
    open_at_exit();
}

fn exit_waits_for_the_work_and_keeps_its_status() {
    assert_eq!(said("exit"), (vec!["job".into()], Some(3)));
}

fn exit_in_main() {
    say_at_the_end(pool(), "job");
    exit(3);
}

fn the_end_waits_for_the_work_when_main_panics() {
    assert_eq!(said("panic"), (vec!["job".into()], Some(101)));
}

fn panic_in_main() {
    say_at_the_end(pool(), "job");
    panic!("as asked for");
}

fn a_job_that_panics_at_the_end_costs_its_own_result() {
    let (said, status) = said("panic in job");
    assert_eq!((said, status), (vec!["other".into()], Some(0)));
}

fn panic_in_a_job() {
    let pool = pool();
    pool.submit_detached(|| {
        AT_EXIT.wait();
        panic!("as asked for")
    })
    .unwrap();
    say_at_the_end(pool, "other");
}

/// A job that ends the process would wait for itself.
fn exit_by_a_job_waits_for_no_work() {
    assert_eq!(said("exit in job"), (vec![], Some(3)));
}

fn exit_in_a_job() {
    let pool = builder().max_workers(2).build().unwrap();
    let never = Gate::new();
    pool.submit_detached(move || never.wait()).unwrap();
    pool.submit_detached(|| exit(3)).unwrap();
    loop {
        thread::park();
    }
}

/// A thread that is lent to a static pool cannot wait either: a job of another pool may wait for that thread.
fn exit_by_a_lent_thread_waits_for_no_work() {
    assert_eq!(said("exit in lent thread"), (vec![], Some(3)));
}

fn exit_in_a_lent_thread() {
    static LENT: corepool::StaticPool<4, 64> = corepool::StaticPool::new();
    let _workers = corepool_std::run_workers(&LENT, 1).unwrap();
    let never = Gate::new();
    POOL.submit_detached(move || never.wait()).unwrap();
    LENT.submit_detached(|| exit(3)).unwrap();
    loop {
        thread::park();
    }
}

fn a_pool_whose_hook_is_off_is_not_waited_for() {
    assert_eq!(said("off"), (vec![], Some(0)));
}

fn turn_the_hook_off() {
    let pool = ThreadPoolBuilder::finish_at_exit(builder(), false)
        .build()
        .unwrap();
    let pool: &ThreadPool = Box::leak(Box::new(pool));
    let never = Gate::new();
    pool.submit_detached(move || never.wait()).unwrap();
}

fn a_process_pool_whose_hook_is_off_is_not_waited_for() {
    let gate = FileGate::new();
    let output = run_scene_with("children off", &gate.path());
    assert!(output.status.success(), "{output:?}");
}

fn turn_the_hook_of_children_off(gate: String) {
    let builder = ProcessPoolBuilder::finish_at_exit(ProcessPool::builder(&JOBS), false);
    let pool: &ProcessPool = Box::leak(Box::new(builder.build().unwrap()));
    drop(pool.submit(AtGate(gate)).unwrap());
}

/// CPython: `test_submit_after_interpreter_shutdown`.
fn a_pool_takes_no_work_at_the_end() {
    assert_eq!(said("submit"), (vec!["refused".into()], Some(0)));
}

fn submit_at_the_end() {
    let pool = pool();
    pool.submit_detached(|| {
        AT_EXIT.wait();
        // The hook comes after the gate.
        while !POOL.is_shut_down() {
            thread::yield_now();
        }
        if let Err(SubmitError::ShutDown(_)) = POOL.submit(|| ()) {
            say("refused");
        }
    })
    .unwrap();
}

/// A job may use a pool that nobody has used before.
fn a_pool_that_is_built_at_the_end_finishes_its_work() {
    assert_eq!(said("late pool"), (vec!["late".into()], Some(0)));
}

fn build_a_pool_at_the_end() {
    static LATE: LazyLock<ThreadPool> = LazyLock::new(ThreadPool::new);
    pool()
        .submit_detached(|| {
            AT_EXIT.wait();
            while !POOL.is_shut_down() {
                thread::yield_now();
            }
            LATE.submit_detached(|| say("late")).unwrap();
        })
        .unwrap();
}

/// CPython: `test_shutdown_no_wait`, of the interpreter's end.
fn a_pool_that_was_shut_down_without_a_wait_finishes_its_work() {
    assert_eq!(said("shut down"), (vec!["job".into()], Some(0)));
}

fn shut_down_without_a_wait() {
    let pool = builder().max_workers(1).build().unwrap();
    open_at_exit();
    say_at_the_end(&pool, "job");
    pool.shutdown(false, false).unwrap();
    std::mem::forget(pool);
}

/// The waits of others take no place that the process's end needs.
fn the_end_waits_beside_as_many_callers_as_there_can_be() {
    assert_eq!(said("waiters"), (vec!["job".into()], Some(0)));
}

fn leave_many_waiters() {
    pool()
        .submit_detached(|| {
            AT_EXIT.wait();
            // An end that does not wait comes first.
            (0..1_000).for_each(|_| thread::yield_now());
            say("job");
        })
        .unwrap();
    let (tell, told) = channel();
    for _ in 0..33 {
        let tell = tell.clone();
        thread::spawn(move || tell.send(POOL.shutdown(true, false)));
    }
    // The others wait.
    assert_eq!(told.recv().unwrap(), Err(ShutdownError::TooManyWaiters));
}

/// A copy has none of the threads that would do the work, and so joins none.
fn the_end_of_a_forked_copy_waits_for_no_work() {
    let output = run_scene("fork");
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "said: 7\nsaid: job\n");
}

fn fork() {
    let pool = pool();
    say_at_the_end(pool, "job");
    // SAFETY: the copy calls nothing but `exit`.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        // SAFETY: the exit handlers are the gate's, whose lock nobody holds, and the pool's.
        unsafe { libc::exit(7) };
    }
    let mut status = 0;
    // SAFETY: `status` is there, and the copy is this process's child.
    assert_eq!(unsafe { libc::waitpid(copy, &raw mut status, 0) }, copy);
    say(&libc::WEXITSTATUS(status).to_string());
}

macro_rules! trials {
    ($($test:ident),* $(,)?) => {
        vec![$(Trial::test(stringify!($test), || {
            run_for(PATIENCE, $test);
            Ok(())
        })),*]
    };
}

fn play(scene: &str) {
    match scene {
        "return" => return_from_main(),
        "task" => leave_a_task(),
        "children" => leave_work_to_children(env::args().nth(1).unwrap()),
        "exit" => exit_in_main(),
        "panic" => panic_in_main(),
        "panic in job" => panic_in_a_job(),
        "exit in job" => exit_in_a_job(),
        "exit in lent thread" => exit_in_a_lent_thread(),
        "off" => turn_the_hook_off(),
        "children off" => turn_the_hook_of_children_off(env::args().nth(1).unwrap()),
        "submit" => submit_at_the_end(),
        "late pool" => build_a_pool_at_the_end(),
        "shut down" => shut_down_without_a_wait(),
        "waiters" => leave_many_waiters(),
        "fork" => fork(),
        _ => unreachable!("no scene: {scene}"),
    }
}

fn main() -> ExitCode {
    run_worker_if_asked(&JOBS);
    if let Ok(scene) = env::var(SCENE) {
        play(&scene);
        return ExitCode::SUCCESS;
    }
    assert_eq!(generation(), 0, "a scene of the tests is none");
    let trials = trials![
        work_in_a_global_pool_is_done_when_main_returns,
        a_task_of_a_global_pool_is_done_when_main_returns,
        work_of_a_global_process_pool_is_done_when_main_returns,
        exit_waits_for_the_work_and_keeps_its_status,
        the_end_waits_for_the_work_when_main_panics,
        a_job_that_panics_at_the_end_costs_its_own_result,
        exit_by_a_job_waits_for_no_work,
        exit_by_a_lent_thread_waits_for_no_work,
        a_pool_whose_hook_is_off_is_not_waited_for,
        a_process_pool_whose_hook_is_off_is_not_waited_for,
        a_pool_takes_no_work_at_the_end,
        a_pool_that_is_built_at_the_end_finishes_its_work,
        a_pool_that_was_shut_down_without_a_wait_finishes_its_work,
        the_end_waits_beside_as_many_callers_as_there_can_be,
        the_end_of_a_forked_copy_waits_for_no_work,
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
