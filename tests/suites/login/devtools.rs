//! A page in Chromium, driven by its own protocol for tools over a pair of pipes.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::Command,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use zot_services::Process;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// After which a page that was asked something has gone, and the question with it.
const GONE_AFTER: Duration = Duration::from_secs(3);
/// What ends a message.
const END: u8 = 0;
const OPTIONS: [&str; 7] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// A page. The browser ends with it.
pub(super) struct Page {
    _browser: Process,
    _home: TempDir,
    questions: File,
    answers: Receiver<Value>,
    session: Option<String>,
    asked: u64,
}

impl Page {
    /// Starts a browser with one empty page.
    pub(super) fn open(chromium: &Path) -> Self {
        let home = TempDir::new().unwrap();
        let [questions, answers] = ["questions", "answers"].map(|name| home.path().join(name));
        assert!(Command::new("mkfifo").arg(&questions).arg(&answers).status().unwrap().success());
        // A pipe that is open for both does not wait for its other end.
        let [ours, theirs] = [&questions, &answers].map(|path| OpenOptions::new().read(true).write(true).open(path).unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", r#"questions=$1 answers=$2; shift 2; exec "$@" 3<"$questions" 4>"$answers""#, "sh"]);
        command.arg(&questions).arg(&answers).arg(chromium).args(OPTIONS);
        command.arg(format!("--user-data-dir={}", home.path().join("profile").display())).arg("about:blank");
        command.env("HOME", home.path());
        let browser = Process::spawn(command, &home.path().join("log"));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for message in BufReader::new(theirs).split(END).map_while(Result::ok) {
                // Nobody is left to be told when the test is over.
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut page = Self { _browser: browser, _home: home, questions: ours, answers: receiver, session: None, asked: 0 };
        let target = page.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = page.ask("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}));
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        // Our questions are not the page's: what it may not do for others, it does for us.
        page.ask("Page.setBypassCSP", &json!({"enabled": true}));
        page
    }

    /// Goes to a URL, as if it were typed.
    pub(super) fn visit(&mut self, url: &str) {
        self.ask("Page.navigate", &json!({"url": url}));
    }

    /// The value of an expression in the page, awaited if it is a promise.
    pub(super) fn evaluate(&mut self, expression: &str) -> Value {
        self.evaluate_within(expression, PATIENCE).unwrap_or_else(|| panic!("no answer to {expression}"))
    }

    /// The same of a page that may give way to another meanwhile: then there is nothing.
    pub(super) fn glance(&mut self, expression: &str) -> Value {
        self.evaluate_within(expression, GONE_AFTER).unwrap_or_default()
    }

    fn evaluate_within(&mut self, expression: &str, patience: Duration) -> Option<Value> {
        let wish = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        Some(self.ask_within("Runtime.evaluate", &wish, patience)?["result"]["value"].clone())
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.ask_within(method, parameters, PATIENCE).unwrap_or_else(|| panic!("no answer to {method}"))
    }

    /// Asks something, and gives the result; what happens meanwhile is of no interest.
    fn ask_within(&mut self, method: &str, parameters: &Value, patience: Duration) -> Option<Value> {
        self.asked += 1;
        let mut question = json!({"id": self.asked, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            question["sessionId"] = json!(session);
        }
        self.questions.write_all(question.to_string().as_bytes()).unwrap();
        self.questions.write_all(&[END]).unwrap();
        loop {
            let message = self.answers.recv_timeout(patience).ok()?;
            if message["id"] == self.asked {
                return Some(message["result"].clone());
            }
        }
    }
}
