//! `defmt-lines PROGRAM LOG`: prints what `PROGRAM`, an ELF file, has logged by `defmt` into the file
//! `LOG`: a line for each frame, with its level.

use std::{env, error::Error, fs, process::ExitCode};

use defmt_decoder::{DecodeError, Table};

fn print_lines(program: &str, log: &str) -> Result<(), Box<dyn Error>> {
    let table = Table::parse(&fs::read(program)?)?.ok_or("the program has no section .defmt")?;
    let mut frames = table.new_stream_decoder();
    frames.received(&fs::read(log)?);
    loop {
        match frames.decode() {
            Ok(frame) => println!("{}", frame.display(false)),
            Err(DecodeError::UnexpectedEof) => return Ok(()),
            Err(DecodeError::Malformed) => return Err("a frame is malformed".into()),
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [program, log] = args.as_slice() else {
        eprintln!("usage: defmt-lines PROGRAM LOG");
        return ExitCode::FAILURE;
    };
    match print_lines(program, log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{log}: {error}");
            ExitCode::FAILURE
        }
    }
}
