//! Two sides of a wire, each a board in QEMU or this host, and the wire between them, which the side
//! that submits has cut, damaged, and switched off and on at its other end.
//!
//! Both ends are sockets, and the wire is the threads that carry bytes from one to the other. A seed
//! decides which bytes are damaged. The suite is `examples/remote-suite`.

use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

use corepool::{
    Panic, PanicLocation,
    remote::{Buffers, RemoteEnd, RemoteWorker, serve_catching},
};
use corepool_std::{HostPort, StreamLink, ThreadParker, ThreadWorker, remote_panic, run_workers};
use remote_suite::{Bench, FRAME, Fault, JOBS, Pool, Tasks, config, set_identity};

use super::{ARM, Emulator, LIMIT, RISCV, build, compare, read};
use crate::root;

/// The seed of the damages.
const SEED: u64 = 1;
/// One byte in so many is damaged, while the wire does damage.
const ONE_IN: u32 = 100;

/// A board at one end of the wire.
pub(super) struct End {
    pub(super) package: &'static str,
    /// One of the programs of its crate.
    pub(super) program: &'static str,
    pub(super) target: &'static str,
    emulator: &'static Emulator,
    args: &'static [&'static str],
}

const M3: &End = &End {
    package: "lm3s6965evb-uart",
    program: "lm3s6965evb-uart",
    target: "thumbv7m-none-eabi",
    emulator: ARM,
    args: &["-machine", "lm3s6965evb"],
};

const HART: &End = &End::hart("riscv-virt-uart");

/// The party that submits, and the one that runs the jobs; `None` is this host.
pub(super) struct Pair {
    pub(super) name: &'static str,
    submits: Option<&'static End>,
    serves: Option<&'static End>,
}

pub(super) const PAIRS: &[Pair] = &[
    Pair {
        name: "m3-to-riscv",
        submits: Some(M3),
        serves: Some(HART),
    },
    Pair {
        name: "host-to-riscv",
        submits: None,
        serves: Some(HART),
    },
    Pair {
        name: "m3-to-host",
        submits: Some(M3),
        serves: None,
    },
];

impl Pair {
    /// The name, the crate and the target of each board.
    pub(super) fn crates(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        let boards = [self.submits, self.serves].into_iter().flatten();
        boards.map(|end| (end.package, end.package, end.target))
    }

    /// Runs the suite; returns what was measured, or what is wrong.
    pub(super) fn check(&self) -> Result<String, String> {
        let wire = Arc::new(Wire::new(self.serves)?);
        let said = match self.submits {
            Some(end) => submit_from_board(end, &wire),
            None => submit_from_here(&wire),
        };
        let served = wire.switch_off();
        let said = said?;
        served?;
        let expected = read(root().join("examples/remote-suite/expected.txt"))?;
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        let measured = compare(&said, &expected).map_err(|wrong| format!("{wrong}:\n{said}"))?;
        let damaged = wire.damaged.load(Ordering::Relaxed);
        if damaged == 0 {
            return Err("the wire did no damage".to_owned());
        }
        let carried = wire.carried.load(Ordering::Relaxed);
        let wire = format!("{carried} bytes carried, {damaged} of them damaged (seed {SEED})");
        Ok([measured, wire]
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join("; "))
    }
}

/// The wire, and the side that serves behind it.
struct Wire {
    serves: Option<&'static End>,
    program: Option<PathBuf>,
    cut: AtomicBool,
    damages: AtomicBool,
    random: Mutex<fastrand::Rng>,
    carried: AtomicUsize,
    damaged: AtomicUsize,
    /// The end of the side that submits.
    near: Mutex<Option<UnixStream>>,
    /// The end of the side that serves, and what it is.
    far: Mutex<Option<(UnixStream, Far)>>,
}

enum Far {
    Board(Child),
    Host,
}

impl Wire {
    fn new(serves: Option<&'static End>) -> Result<Self, String> {
        let program = serves.map(End::build).transpose()?;
        Ok(Self {
            serves,
            program,
            cut: AtomicBool::new(false),
            damages: AtomicBool::new(false),
            random: Mutex::new(fastrand::Rng::with_seed(SEED)),
            carried: AtomicUsize::new(0),
            damaged: AtomicUsize::new(0),
            near: Mutex::new(None),
            far: Mutex::new(None),
        })
    }

    /// Puts the side that submits at its end of the wire, and switches the other on.
    fn connect(self: &Arc<Self>, near: UnixStream) -> Result<(), String> {
        let reader = near.try_clone().map_err(problem)?;
        *self.near.lock().unwrap() = Some(near);
        self.switch_on()?;
        let wire = Arc::clone(self);
        thread::spawn(move || {
            wire.carry(reader, |bytes| {
                let far = wire.far.lock().unwrap();
                let stream = far.as_ref().and_then(|(stream, _)| stream.try_clone().ok());
                drop(far);
                // Nobody is there while it is switched off.
                if let Some(mut stream) = stream {
                    let _ = stream.write_all(bytes);
                }
            });
        });
        Ok(())
    }

    fn switch_on(self: &Arc<Self>) -> Result<(), String> {
        let (stream, far) = match (self.serves, &self.program) {
            (Some(end), Some(program)) => {
                let (child, stream) = end.start(program, Stdio::null())?;
                (stream, Far::Board(child))
            }
            _ => (serve_from_here()?, Far::Host),
        };
        let reader = stream.try_clone().map_err(problem)?;
        *self.far.lock().unwrap() = Some((stream, far));
        let wire = Arc::clone(self);
        thread::spawn(move || {
            wire.carry(reader, |bytes| {
                let near = wire.near.lock().unwrap();
                let stream = near.as_ref().and_then(|stream| stream.try_clone().ok());
                drop(near);
                if let Some(mut stream) = stream {
                    let _ = stream.write_all(bytes);
                }
            });
        });
        Ok(())
    }

    /// Switches the side that serves off. If it was told goodbye, it has ended by itself.
    fn switch_off(&self) -> Result<(), String> {
        let Some((stream, far)) = self.far.lock().unwrap().take() else {
            return Ok(());
        };
        let _ = stream.shutdown(std::net::Shutdown::Both);
        let Far::Board(mut child) = far else {
            return Ok(());
        };
        child.kill().map_err(problem)?;
        child.wait().map_err(problem)?;
        Ok(())
    }

    /// Carries bytes, as the wire is, until the stream ends.
    fn carry(&self, mut from: UnixStream, mut to: impl FnMut(&[u8])) {
        let mut buffer = [0; 256];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if self.cut.load(Ordering::SeqCst) {
                continue;
            }
            let bytes = &mut buffer[..count];
            if self.damages.load(Ordering::SeqCst) {
                let mut random = self.random.lock().unwrap();
                for byte in bytes.iter_mut() {
                    if random.u32(..ONE_IN) == 0 {
                        *byte ^= random.u8(1..);
                        self.damaged.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            self.carried.fetch_add(count, Ordering::Relaxed);
            to(bytes);
        }
    }

    fn inflict(self: &Arc<Self>, fault: Fault) -> Result<(), String> {
        match fault {
            Fault::Cut => self.cut.store(true, Ordering::SeqCst),
            Fault::Mend => self.cut.store(false, Ordering::SeqCst),
            Fault::Damage => self.damages.store(true, Ordering::SeqCst),
            Fault::Clean => self.damages.store(false, Ordering::SeqCst),
            Fault::Restart => {
                self.switch_off()?;
                self.switch_on()?;
            }
        }
        Ok(())
    }
}

fn problem(error: impl std::fmt::Display) -> String {
    format!("the wire: {error}")
}

impl End {
    /// A RISC-V hart with one of the programs that run what arrives at its serial port.
    pub(super) const fn hart(program: &'static str) -> Self {
        Self {
            package: "riscv-virt-uart",
            program,
            target: "riscv32imac-unknown-none-elf",
            emulator: RISCV,
            args: &["-machine", "virt", "-bios", "none"],
        }
    }

    pub(super) fn build(&self) -> Result<PathBuf, String> {
        self.emulator.require()?;
        Ok(build(self.package, self.target)?.with_file_name(self.program))
    }

    /// The command that runs the program, with the serial port at `serial`.
    pub(super) fn command(&self, program: &Path, serial: &str) -> Command {
        let mut command = Command::new(self.emulator.program);
        command
            .args(["-display", "none", "-monitor", "none"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(self.args)
            .args(["-serial", serial])
            .arg("-kernel")
            .arg(program);
        command
    }

    /// Starts the board; its serial port is the stream.
    fn start(&self, program: &Path, stdout: Stdio) -> Result<(Child, UnixStream), String> {
        let directory = tempfile::tempdir().map_err(problem)?;
        let socket = directory.path().join("serial");
        let listener = UnixListener::bind(&socket).map_err(problem)?;
        let child = self
            .command(program, &format!("unix:{}", socket.display()))
            .stdin(Stdio::null())
            .stdout(stdout)
            .spawn()
            .map_err(problem)?;
        let (stream, _) = listener.accept().map_err(problem)?;
        Ok((child, stream))
    }
}

thread_local! {
    /// The file, the line and the column of this thread's last panic.
    static PLACE: RefCell<Option<(String, u32, u32)>> = const { RefCell::new(None) };
}

/// Calls `f`. A panic of it comes with its text and its place, as that of a board. Only the panic hook sees the place.
fn catch_panic(f: &mut dyn FnMut()) -> Result<(), Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let place = info
                .location()
                .map(|at| (at.file().to_owned(), at.line(), at.column()));
            PLACE.set(place);
            before(info);
        }));
    });
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let place = PLACE.take();
        let place = place
            .as_ref()
            .map(|&(ref file, line, column)| PanicLocation { file, line, column });
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        remote_panic(text, place)
    })
}

/// Serves from this host; returns the other end of its stream.
fn serve_from_here() -> Result<UnixStream, String> {
    let (ours, theirs) = UnixStream::pair().map_err(problem)?;
    let reader = ours.try_clone().map_err(problem)?;
    set_identity(2);
    thread::spawn(move || {
        let mut link = StreamLink::new(reader, ours).expect("a thread starts");
        let buffers = Buffers {
            outbox: &mut [0; 4 * FRAME],
            inbox: &mut [0; 8 * FRAME],
        };
        // Until the wire's end is closed, or goodbye.
        let parker = ThreadParker::new();
        let _ = serve_catching(&mut link, &JOBS, buffers, &parker, catch_panic);
    });
    Ok(theirs)
}

/// Runs the suite on a board; returns what it printed.
fn submit_from_board(end: &'static End, wire: &Arc<Wire>) -> Result<String, String> {
    let program = end.build()?;
    let (mut child, stream) = end.start(&program, Stdio::piped())?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    wire.connect(stream)?;
    let (tell, told) = mpsc::channel();
    let printed = Arc::clone(wire);
    thread::spawn(move || {
        let mut said = String::new();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            match line.strip_prefix("wire: ") {
                Some(name) => {
                    let fault = Fault::ALL.into_iter().find(|it| it.to_string() == name);
                    let inflicted = fault.ok_or(line).and_then(|fault| printed.inflict(fault));
                    if let Err(error) = inflicted {
                        said += &format!("{error}\n");
                    }
                }
                None => said += &format!("{line}\n"),
            }
        }
        let _ = tell.send(said);
    });
    let said = told.recv_timeout(LIMIT);
    if said.is_err() {
        child.kill().map_err(problem)?;
    }
    let status = child.wait().map_err(problem)?;
    match said {
        Ok(said) if status.success() => Ok(said),
        Ok(said) => Err(format!("ended with {status}:\n{said}")),
        Err(_) => Err("hangs".to_owned()),
    }
}

/// Runs the suite on this host; returns what a board would have printed.
fn submit_from_here(wire: &Arc<Wire>) -> Result<String, String> {
    struct Here {
        wire: Arc<Wire>,
        said: Mutex<String>,
    }
    impl Here {
        fn say(&self, line: &str) {
            *self.said.lock().unwrap() += &format!("{line}\n");
        }
    }
    impl Bench for Here {
        fn inflict(&self, fault: Fault) {
            if let Err(error) = self.wire.inflict(fault) {
                self.say(&error);
            }
        }

        fn report(&self, name: &str, passed: bool) -> usize {
            let verdict = if passed { "ok" } else { "FAILED" };
            self.say(&format!("test {name} ... {verdict}"));
            usize::from(!passed)
        }
    }
    static POOL: Pool = Pool::new();
    static TASKS: Tasks = Tasks::new();
    POOL.install(&HostPort);
    let _tasks = run_workers(&TASKS, 1).map_err(problem)?;
    let (ours, theirs) = UnixStream::pair().map_err(problem)?;
    wire.connect(theirs)?;
    let here: &'static Here = Box::leak(Box::new(Here {
        wire: Arc::clone(wire),
        said: Mutex::default(),
    }));
    let failed = TASKS
        .spawn(remote_suite::run(&POOL, 2, here))
        .map_err(|error| error.to_string())?;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let reader = ours.try_clone().expect("a descriptor is free");
        let link = StreamLink::new(reader, ours).expect("a thread starts");
        let buffers = Buffers {
            outbox: &mut [0; 4 * FRAME],
            inbox: &mut [0; 4 * FRAME],
        };
        let mut worker = RemoteWorker::<_>::new(link, &JOBS, buffers, config());
        let ended = worker.run(POOL.pool_ref(), &ThreadWorker::default());
        here.report(
            "a_shutdown_ends_the_remote_worker",
            ended == Ok(RemoteEnd::ShutDown),
        );
        let _ = tell.send(());
    });
    let start = Instant::now();
    if told.recv_timeout(LIMIT).is_err() {
        return Err(format!("hangs after {:?}", start.elapsed()));
    }
    let _ = failed.result();
    Ok(here.said.lock().unwrap().clone())
}
