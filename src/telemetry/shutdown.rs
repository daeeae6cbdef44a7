//! SIGTERM and SIGINT become a token that every task watches.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal as listen};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGTERM or SIGINT cancels. The second one ends the process at once,
/// with the exit code that shells use (128 + the signal's number).
pub fn signal() -> io::Result<CancellationToken> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = next(&mut terminate, &mut interrupt).await.0;
        tracing::info!(signal = name, "stopping; a second signal ends the process at once");
        cancelled.cancel();
        let (name, code) = next(&mut terminate, &mut interrupt).await;
        tracing::warn!(signal = name, "ended by a second signal");
        std::process::exit(code);
    });
    Ok(token)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", 143),
        _ = interrupt.recv() => ("SIGINT", 130),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Lines},
        process::{ChildStdout, Command, Stdio},
    };

    use super::*;

    const CHILD: &str = "PINNACE_TEST_SHUTDOWN_CHILD";

    /// Signals are a process's own, so the test runs itself in a process of its own.
    #[tokio::test]
    async fn first_signal_cancels_second_ends() {
        if std::env::var_os(CHILD).is_some() {
            return child().await;
        }
        let name = "telemetry::shutdown::tests::first_signal_cancels_second_ends";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let kill = |signal: &str| {
            let id = child.id().to_string();
            assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        };
        expect(&mut lines, "waiting");
        kill("-TERM");
        expect(&mut lines, "cancelled");
        kill("-INT");
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }

    async fn child() {
        let token = signal().unwrap();
        println!("\nwaiting");
        token.cancelled().await;
        println!("\ncancelled");
        std::future::pending().await
    }

    fn expect(lines: &mut Lines<BufReader<ChildStdout>>, wanted: &str) {
        let found = lines.any(|line| line.unwrap() == wanted);
        assert!(found, "the child ended before it said {wanted:?}");
    }
}
