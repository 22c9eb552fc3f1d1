//! The usual first example of an executor: a [`ThreadPool`] fetches pages in parallel, and `main`
//! prints each outcome as soon as it is there.
//!
//! The pages come from a server in this program, on loopback. One page is slow, one fails, and
//! one has an address at which no server listens. The server delays each answer until `main` has
//! printed a number of outcomes, and not by a clock. So the output is the same each time.
//!
//! Run it with `cargo run --example downloads`. It prints:
//!
//! ```text
//! deserted: connection refused
//! fast: 12 bytes
//! faulty: http status: 500
//! slow: 34 bytes
//! ```

use std::{
    error::Error,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use corepool::{FutureSet, as_completed};
use corepool_std::ThreadPool;

const PAGES: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let served = server.local_addr()?;
    // It serves as long as the program runs.
    thread::spawn(move || serve(&server));
    // A port that was free a moment ago, and at which no server listens.
    let deserted = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;

    let pages: [(&str, String); PAGES] = [
        ("slow", format!("http://{served}/slow")),
        ("faulty", format!("http://{served}/faulty")),
        ("fast", format!("http://{served}/fast")),
        ("deserted", format!("http://{deserted}/")),
    ];

    let agent: ureq::Agent = ureq::Agent::config_builder()
        .proxy(None) // Loopback, whatever the environment says.
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into();
    let pool = ThreadPool::builder().max_workers(PAGES).build()?;
    // The drop of the pool waits for all downloads. If `main` ends early, as by a panic, the server answers first.
    let _answered = AllAnswered;

    // One job a page. A future does not know its page, so the result has the page's name.
    let downloads: FutureSet<'_, _, PAGES> = pages
        .into_iter()
        .map(|(name, url)| {
            let agent = agent.clone();
            pool.submit(move || (name, download(&agent, &url)))
        })
        .collect::<Result<_, _>>()?;

    for done in as_completed(downloads, None) {
        match done?.result()? {
            (name, Ok(page)) => println!("{name}: {} bytes", page.len()),
            // The error's kind, since its text differs between operating systems.
            (name, Err(ureq::Error::Io(error))) => println!("{name}: {}", error.kind()),
            (name, Err(error)) => println!("{name}: {error}"),
        }
        PRINTED.one_more();
    }
    Ok(())
}

/// Blocks its thread until the page is there.
fn download(agent: &ureq::Agent, url: &str) -> Result<String, ureq::Error> {
    agent.get(url).call()?.body_mut().read_to_string()
}

/// How many outcomes have been printed.
static PRINTED: Counter = Counter {
    count: Mutex::new(0),
    changed: Condvar::new(),
};

struct Counter {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Counter {
    fn one_more(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// As many as are waited for: the server answers the rest at once.
    fn all(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) = usize::MAX;
        self.changed.notify_all();
    }

    fn wait_for(&self, count: usize) {
        let now = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(now, |now| *now < count));
    }
}

/// Has the server answer all requests when it is dropped.
struct AllAnswered;

impl Drop for AllAnswered {
    fn drop(&mut self) {
        PRINTED.all();
    }
}

/// A thread for each connection, since an answer may take its time.
fn serve(listener: &TcpListener) {
    for connection in listener.incoming() {
        thread::spawn(move || {
            if let Err(error) = connection.and_then(|stream| answer(&stream)) {
                eprintln!("server: {error}");
            }
        });
    }
}

/// Answers one request, when its turn has come.
fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut head = BufReader::new(stream).lines();
    let request = head.next().transpose()?.unwrap_or_default();
    // The other lines, up to the empty one, say nothing of interest.
    for line in head {
        if line?.is_empty() {
            break;
        }
    }

    let (turn, status, body) = match request.split(' ').nth(1) {
        Some("/fast") => (1, "200 OK", "here you are"),
        Some("/faulty") => (2, "500 Internal Server Error", ""),
        Some("/slow") => (3, "200 OK", "good things come to those who wait"),
        _ => (0, "404 Not Found", ""),
    };
    PRINTED.wait_for(turn);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
