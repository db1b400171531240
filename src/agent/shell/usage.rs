//! What commands do with the files that they name, and whether they print the environment.

use std::path::{Path, PathBuf};

use super::{Command, Word, parse};

/// What a script does that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// The content of a file may come to light: shown, sent, or copied to where nobody expects it.
    Reads(Named),
    /// A file is created or changed.
    Writes(Named),
    /// Variables of the environment are shown: all of them.
    Environment {
        /// What does it, for people.
        command: String,
        /// Whether only some of them come through, chosen by a filter behind it.
        is_filtered: bool,
    },
    /// The value of a variable is shown whose name says that it is a secret.
    Variable(String),
    /// What is staged is committed; with what is added to the index right before.
    Commits {
        /// The directory.
        from: PathBuf,
        /// What the script stages before.
        stages: Stages,
    },
}

/// What is staged right before a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stages {
    /// These files; often none.
    Paths(Vec<String>),
    /// What git tracks already: `git commit -a`.
    Tracked,
    /// Everything that is not ignored: `git add .`.
    Everything,
}

/// A file as a script names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The path, variables filled in as far as they are known.
    pub path: String,
    /// The directory that it is relative to, itself relative to that of the script.
    pub from: PathBuf,
    /// Whether it has wildcards.
    pub is_pattern: bool,
    /// The command that names it.
    pub command: String,
    /// Where the content goes, if it is only moved or copied to another file.
    pub to: Option<String>,
}

/// How a command treats the files in its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It shows or sends what is in them.
    Reads,
    /// It uses them without showing what is in them.
    Uses,
    /// Its arguments are words, not files.
    Words,
    /// The first argument is a pattern or program; the rest are files that it shows.
    ReadsAfterFirst,
    /// The last is written, the others are read.
    Copies,
    /// All are written.
    Writes,
}

/// Commands that do something else with files than show them.
const MANNERS: &[(Manner, &str)] = &[
    (
        Manner::Uses,
        "\
        ls ll la dir exa eza lsd tree stat file test [ [[ du df chmod chown chgrp chattr setfacl getfacl rm unlink \
        shred mkdir rmdir cd pushd realpath readlink dirname basename source . dotenv dotenvx env-cmd direnv ssh \
        ssh-add ssh-agent ssh-copy-id ssh-keygen sftp mosh gpg-agent gpgconf sha1sum sha256sum sha512sum md5sum b2sum \
        b3sum cksum shasum md5 wc cmp kubectl helm k9s oc terraform tofu pulumi packer ansible ansible-playbook \
        docker-compose podman-compose mysql psql pg_dump redis-cli mongosh nginx caddy stunnel code cursor open \
        xdg-open subl nano vi vim nvim emacs start explorer install-info keysift gitleaks trufflehog detect-secrets \
        sops age-keygen git-crypt codesign jarsigner apksigner keytool signtool uvicorn gunicorn flask http-server \
        serve mkcert certbot remove-item del erase test-path get-childitem gci get-item gi resolve-path get-acl \
        icacls attrib du.exe aws gcloud az gh glab heroku flyctl fly vercel netlify wrangler firebase doctl op vault \
        npm npx pnpm yarn bun bunx deno cargo go make cmake just task mvn gradle gradlew pip pipx poetry uv uvx tox \
        nox pytest bundle rake rails composer artisan dotnet mix docker podman nerdctl buildah vagrant minikube kind \
        eksctl skaffold tilt",
    ),
    (
        Manner::Words,
        "\
        echo printf export alias unalias unset declare typeset local readonly set shopt setopt type which whereis \
        command man help apropos exit return kill pkill pgrep sleep true false : date whoami hostname uname id groups \
        ps top jobs wait trap seq yes tput clear reset apt apt-get yum dnf apk pacman zypper brew port snap flatpak \
        winget choco scoop systemctl service launchctl useradd adduser usermod groupadd passwd write-host \
        write-output expr let tr gem rustup nvm pyenv rbenv asdf mise createdb dropdb createuser ping dig nslookup \
        host",
    ),
    (
        Manner::ReadsAfterFirst,
        "\
        grep egrep fgrep zgrep rg ag ack sed gsed awk gawk mawk nawk jq yq select-string sls findstr perl",
    ),
    (
        Manner::Copies,
        "\
        cp mv ln install copy-item move-item copy move ren",
    ),
    (
        Manner::Writes,
        "\
        htpasswd touch tee truncate mktemp new-item set-content add-content out-file",
    ),
];

/// Options whose value is a file that the command uses without showing it.
const USED: &str = "\
    --env-file --env --dotenv --env-path -i --identity --identity-file --key --key-file --keyfile --keyout \
    --private-key --private_key -keyout -key -inkey -signkey -CAkey -CA -cert -certfile --cert --cacert -cafile \
    --cafile --ca --ca-file --ssl-key --ssl-keyfile --ssl-certfile --ssl-cert --tls-key --tls-cert --sslkey --sslcert \
    --kubeconfig --credentials-file --key-file-path --vault-password-file --password-file --netrc-file --cert-key \
    --config -F --account-key-file --service-account --service-account-key --out -out --output -o --exclude \
    --exclude-dir --exclude-from --ignore --ignore-file --glob -g --iglob --include --from-env-file --build-arg \
    --secret -v --volume --mount --dotenv-file --env-file-path";
/// Options whose value is a text, not a file.
const TEXTS: &str = "\
    -m --message --title --body -t --notes --description --subject --author --grep -S -G -e --regexp -d: --delimiter \
    -n --name -l --label";

/// With these openssl puts a key into a file, or only uses it.
const OPENSSL_QUIET: &str = "\
    -out -noout -keyout -pubout x509 req verify s_client s_server genrsa dgst ca crl ocsp";

/// Commands that show text which is piped to them; behind all others what is read does not come to light.
const SWALLOW: &str = "\
    wc md5sum sha1sum sha256sum sha512sum shasum b2sum b3sum cksum docker podman helm ssh-add gpg openssl pbcopy \
    xclip xsel wl-copy clip clip.exe kubectl gh vault op psql mysql sudo-passwd chpasswd read";

/// Programs that run a text as code.
const INTERPRETERS: &str = "\
    python python2 python3 node nodejs deno bun ruby perl php lua osascript pwsh powershell rscript julia elixir";
/// Programs that run a text as a script of this kind.
const SHELLS: &str = "\
    sh bash zsh dash ksh fish ash eval";

/// What stands before a command and runs it.
const PREFIXES: &str = "\
    sudo doas time nohup nice ionice command builtin exec stdbuf setsid timeout watch xvfb-run caffeinate chronic \
    unbuffer rtk";

/// What a script does with files and secrets.
pub fn uses(script: &str) -> Vec<Use> {
    let mut reader = Reader { out: Vec::new(), variables: Vec::new(), stages: Stages::Paths(Vec::new()), depth: 0 };
    reader.script(script, Path::new(""));
    reader.out
}

/// Whether a variable's name says that its value is a secret.
pub fn names_a_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let innocent = [
        "PUBLIC",
        "_FILE",
        "_PATH",
        "_DIR",
        "_URL",
        "_ID",
        "_NAME",
        "_TYPE",
        "_LEN",
        "_COUNT",
        "KEYBOARD",
        "KEYMAP",
        "_TTL",
        "_LIMIT",
        "TOKENIZERS",
        "TOKENIZER",
        "MAX_TOKENS",
        "_EXPIRY",
        "_HEADER",
    ];
    if innocent.iter().any(|w| upper.contains(w)) {
        return false;
    }
    [
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "CREDENTIAL",
        "APIKEY",
        "API_KEY",
        "ACCESS_KEY",
        "PRIVATE_KEY",
        "AUTH_KEY",
        "ENCRYPTION_KEY",
        "SIGNING_KEY",
        "MASTER_KEY",
        "_PAT",
    ]
    .iter()
    .any(|w| upper.contains(w) && (*w != "_PAT" || upper.ends_with(w)))
}

struct Reader {
    out: Vec<Use>,
    /// Variables that the script sets, the last one last.
    variables: Vec<(String, String)>,
    stages: Stages,
    depth: usize,
}

impl Reader {
    fn script(&mut self, script: &str, from: &Path) {
        if self.depth >= 4 {
            return;
        }
        self.depth += 1;
        let commands = parse(script);
        let mut from = from.to_owned();
        for number in 0..commands.len() {
            for (name, value) in &commands[number].assignments {
                let value = self.filled(value);
                self.variables.push((name.clone(), value));
            }
            self.command(&commands, number, &mut from);
        }
        self.depth -= 1;
    }

    fn command(&mut self, commands: &[Command], number: usize, from: &mut PathBuf) {
        let command = &commands[number];
        let fate = fate(commands, number);
        for redirection in &command.redirections {
            let named = self.named(&redirection.target, from, "redirection");
            if named.path == "/dev/null" || named.path.starts_with("/dev/std") || named.path.starts_with("/dev/tty") {
                continue;
            }
            if redirection.reads {
                let first = command.words.first().map(|w| base(&w.text));
                // `while read …; done < .env`, `psql < dump`: what is read goes to the command.
                if first.is_some_and(|f| manner(&f) == Manner::Reads || manner(&f) == Manner::ReadsAfterFirst)
                    && fate.comes_to_light()
                {
                    self.out.push(Use::Reads(named));
                }
            } else {
                self.out.push(Use::Writes(named));
            }
        }
        let words = without_prefixes(&command.words);
        let Some((first, arguments)) = words.split_first() else { return };
        let name = base(&self.filled(first));
        match name.as_str() {
            "cd" | "pushd" | "set-location" => {
                if let Some(target) = arguments.iter().find(|w| !w.text.starts_with('-')) {
                    let target = self.filled(target);
                    *from = from.join(target);
                }
            }
            "xargs" | "parallel" => return self.run_by_xargs(commands, number, arguments, from),
            "find" | "fd" | "fdfind" => return self.found(commands, number, arguments, from),
            "git" => return self.git(arguments, from, &fate),
            "curl" | "wget" | "http" | "https" | "xh" => self.sent(arguments, from),
            // It shows a key only if it is told neither where to put it nor to keep it to itself.
            "openssl" if arguments.iter().any(|w| has(OPENSSL_QUIET, &w.text)) => return,
            _ => {}
        }
        if has(SHELLS, &name) || has(INTERPRETERS, &name) {
            return self.code(&name, command, arguments, from, &fate);
        }
        self.environment(&name, command, arguments, &fate);
        if name == "export" || name == "declare" || name == "local" {
            for word in arguments {
                if let Some((variable, value)) = word.text.split_once('=') {
                    let value = Word { text: value.to_owned(), ..word.clone() };
                    let value = self.filled(&value);
                    self.variables.push((variable.to_owned(), value));
                }
            }
        }
        self.files(&name, arguments, from, &fate);
    }

    /// The files that a command names in its arguments.
    fn files(&mut self, name: &str, arguments: &[Word], from: &Path, fate: &Fate) {
        let manner = manner(name);
        if matches!(manner, Manner::Uses | Manner::Words) {
            return;
        }
        let operands = operands(name, arguments);
        let operands: Vec<&Word> = if manner == Manner::ReadsAfterFirst {
            let given = arguments.iter().any(|w| {
                matches!(w.text.as_str(), "-e" | "-f" | "--regexp" | "--file")
                    || (name != "perl" && w.text.starts_with("-e"))
            });
            if shows_names_only(name, arguments) {
                return;
            }
            operands.into_iter().skip(usize::from(!given)).collect()
        } else {
            operands
        };
        match manner {
            Manner::Writes => {
                for word in operands {
                    let named = self.named(word, from, name);
                    self.out.push(Use::Writes(named));
                }
            }
            Manner::Copies => {
                let Some((last, sources)) = operands.split_last() else { return };
                let target = self.named(last, from, name);
                for word in sources {
                    let source = Named { to: Some(target.path.clone()), ..self.named(word, from, name) };
                    self.out.push(Use::Reads(source));
                }
                self.out.push(Use::Writes(target));
            }
            _ => {
                if name == "cut" && arguments.iter().any(|w| w.text == "-f1") || !fate.comes_to_light() {
                    return;
                }
                for word in operands {
                    let to = match fate {
                        Fate::File(file) => Some(file.clone()),
                        _ => None,
                    };
                    let named = Named { to, ..self.named(word, from, name) };
                    self.out.push(Use::Reads(named));
                }
            }
        }
    }

    /// `env`, `printenv`, `echo $TOKEN`, …
    fn environment(&mut self, name: &str, command: &Command, arguments: &[Word], fate: &Fate) {
        let bare = arguments.iter().all(|w| w.text.starts_with('-') && w.text != "-");
        let lists = match name {
            "env" => arguments.iter().all(|w| w.text.starts_with('-') || w.text.contains('=')),
            "printenv" => bare,
            "export" | "declare" | "typeset" => {
                bare && arguments.iter().any(|w| w.text == "-p" || w.text == "-x" || w.text == "-xp" || w.text == "-px")
            }
            "set" => arguments.is_empty(),
            "get-childitem" | "gci" | "dir" | "ls" => arguments.iter().any(|w| w.text.eq_ignore_ascii_case("env:")),
            _ => false,
        };
        if lists && command.input.is_empty() && fate.is_shown() {
            self.out.push(Use::Environment { command: name.to_owned(), is_filtered: matches!(fate, Fate::Filtered) });
        }
        let shows = match name {
            "printenv" => arguments.iter().map(|w| w.text.clone()).collect(),
            "echo" | "printf" | "print" | "write-host" | "write-output" | "cat" => {
                arguments.iter().flat_map(|w| w.variables.clone()).collect()
            }
            // PowerShell shows what stands alone.
            _ if name.starts_with("$env:") => command.words.iter().flat_map(|w| w.variables.clone()).collect(),
            _ => Vec::new(),
        };
        if matches!(fate, Fate::Shown) {
            // What the script itself has just set is no secret of the environment.
            let own = |name: &String| self.variables.iter().any(|(n, _)| n == name);
            let secret = shows.into_iter().find(|n: &String| names_a_secret(n) && !own(n));
            self.out.extend(secret.map(Use::Variable));
        }
    }

    /// A text that is run: `bash -c '…'`, `python -c '…'`, or what stands in a here-document.
    fn code(&mut self, name: &str, command: &Command, arguments: &[Word], from: &Path, fate: &Fate) {
        let flagged = arguments.iter().position(|w| {
            w.text.starts_with('-') && !w.text.starts_with("--") && w.text.ends_with(['c', 'e', 'r'])
                || matches!(w.text.as_str(), "--eval" | "-p" | "--print" | "-Command")
        });
        let mut texts: Vec<String> = command.input.clone();
        if name == "eval" {
            texts.push(arguments.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" "));
        } else if let Some(code) = flagged.and_then(|at| arguments.get(at + 1)) {
            texts.push(code.text.clone());
        }
        for text in texts {
            if has(SHELLS, name) || matches!(name, "pwsh" | "powershell") {
                self.script(&text, from);
                continue;
            }
            let prints_all = [
                "print(os.environ)",
                "print(dict(os.environ",
                "console.log(process.env)",
                "json.dumps(dict(os.environ",
                "JSON.stringify(process.env",
                "puts ENV",
                "p ENV",
                "print(%ENV",
                "print_r($_ENV",
                "print_r(getenv(",
            ];
            if prints_all.iter().any(|p| text.contains(p)) {
                self.out.push(Use::Environment { command: name.to_owned(), is_filtered: false });
            }
            // In a program a file's name is a string.
            for path in text
                .split(['"', '\'', '`'])
                .filter(|p| !p.is_empty() && p.len() < 256 && !p.contains(['\n', ' ', '(', ')']))
            {
                let named = Named {
                    path: path.to_owned(),
                    from: from.to_owned(),
                    is_pattern: false,
                    command: name.to_owned(),
                    to: None,
                };
                self.out.push(Use::Reads(named));
            }
        }
        if flagged.is_none() && name == "perl" {
            self.files(name, arguments, from, fate);
        }
    }

    fn git(&mut self, arguments: &[Word], from: &Path, fate: &Fate) {
        // `git -C folder show …`
        let mut from = from.to_owned();
        let mut rest = arguments;
        while let [first, after @ ..] = rest {
            match (first.text.as_str(), after) {
                ("-C", [folder, after @ ..]) => {
                    from = from.join(self.filled(folder));
                    rest = after;
                }
                ("-c" | "--git-dir" | "--work-tree", [_, after @ ..]) => rest = after,
                (flag, after) if flag.starts_with('-') => rest = after,
                _ => break,
            }
        }
        let Some((verb, arguments)) = rest.split_first() else { return };
        match verb.text.as_str() {
            "commit" => {
                let short = |w: &Word| w.text.starts_with('-') && !w.text.starts_with("--") && w.text.contains('a');
                if arguments.iter().any(|w| w.text == "--all" || short(w)) && self.stages != Stages::Everything {
                    self.stages = Stages::Tracked;
                }
                let stages = std::mem::replace(&mut self.stages, Stages::Paths(Vec::new()));
                self.out.push(Use::Commits { from, stages });
            }
            "add" | "stage" => {
                let all = |w: &Word| matches!(w.text.as_str(), "-A" | "--all" | "." | "./" | ":/" | "*");
                if arguments.iter().any(all) {
                    self.stages = Stages::Everything;
                } else if arguments.iter().any(|w| matches!(w.text.as_str(), "-u" | "--update")) {
                    self.stages = Stages::Tracked;
                }
                for word in operands("git", arguments) {
                    let named = self.named(word, &from, "git add");
                    if let Stages::Paths(paths) = &mut self.stages {
                        paths.push(named.path.clone());
                    }
                    self.out.push(Use::Reads(named));
                }
            }
            "show" | "diff" | "log" | "blame" | "cat-file" | "grep" | "annotate" if fate.comes_to_light() => {
                let quiet = arguments.iter().any(|w| {
                    matches!(
                        w.text.as_str(),
                        "--name-only" | "--stat" | "--quiet" | "--oneline" | "--name-status" | "--numstat" | "-l"
                    )
                });
                let shows = verb.text != "log" || arguments.iter().any(|w| w.text == "-p" || w.text == "--patch");
                if quiet || !shows {
                    return;
                }
                for word in operands(&verb.text, arguments).into_iter().skip(usize::from(verb.text == "grep")) {
                    let mut named = self.named(word, &from, &format!("git {}", verb.text));
                    // `git show HEAD:.env`
                    if let Some((_, path)) = named.path.rsplit_once(':') {
                        named.path = path.to_owned();
                    }
                    self.out.push(Use::Reads(named));
                }
            }
            _ => {}
        }
    }

    /// `curl -d @file`, `-F name=@file`, `-T file`
    fn sent(&mut self, arguments: &[Word], from: &Path) {
        for pair in arguments.windows(2) {
            if matches!(pair[0].text.as_str(), "-T" | "--upload-file" | "--post-file" | "--body-file") {
                let named = self.named(&pair[1], from, "an upload");
                self.out.push(Use::Reads(named));
            }
        }
        for word in arguments {
            let text = self.filled(word);
            let file = text
                .strip_prefix('@')
                .or_else(|| text.split_once("=@").map(|(_, f)| f))
                .or_else(|| text.split_once("=<").map(|(_, f)| f));
            let file = file.or_else(|| text.strip_prefix("--post-file=")).or_else(|| text.strip_prefix("-d@"));
            if let Some(file) = file.map(|f| f.split(';').next().unwrap_or(f)).filter(|f| !f.is_empty() && *f != "-") {
                let named = Named {
                    path: file.to_owned(),
                    from: from.to_owned(),
                    is_pattern: false,
                    command: "an upload".to_owned(),
                    to: None,
                };
                self.out.push(Use::Reads(named));
            }
        }
    }

    /// `find … -name .env -exec cat {} +`
    fn found(&mut self, commands: &[Command], number: usize, arguments: &[Word], from: &Path) {
        let runs = arguments
            .iter()
            .position(|w| matches!(w.text.as_str(), "-exec" | "-execdir" | "-ok" | "-x" | "-X" | "--exec"));
        let reads = match (runs, commands[number].pipe) {
            (Some(at), _) => arguments.get(at + 1).is_some_and(|w| is_reader(&w.text)),
            (None, Some(next)) => {
                let words = without_prefixes(&commands[next].words);
                let by_xargs = words.first().is_some_and(|w| base(&w.text) == "xargs");
                by_xargs && operands("xargs", &words[1..]).first().is_some_and(|w| is_reader(&w.text))
            }
            (None, None) => commands[number].inside.is_some_and(|around| {
                commands[around].words.first().is_some_and(|w| is_reader(&w.text))
                    && fate(commands, around).comes_to_light()
            }),
        };
        if !reads {
            return;
        }
        let last = runs.unwrap_or(arguments.len());
        for pair in arguments[..last].windows(2) {
            if matches!(pair[0].text.as_str(), "-name" | "-iname" | "-path" | "-ipath" | "-wholename") {
                let path = pair[1].text.trim_start_matches("*/").to_owned();
                self.out.push(Use::Reads(Named {
                    path,
                    from: from.to_owned(),
                    is_pattern: false,
                    command: "find".to_owned(),
                    to: None,
                }));
            }
        }
    }

    /// `… | xargs cat`, `echo .env | xargs cat`
    fn run_by_xargs(&mut self, commands: &[Command], number: usize, arguments: &[Word], from: &Path) {
        let words = operands("xargs", arguments);
        let Some(run) = words.first().filter(|w| is_reader(&w.text)) else { return };
        let name = base(&run.text);
        let rest: Vec<Word> = words.iter().skip(1).map(|w| (*w).clone()).collect();
        let light = fate(commands, number);
        self.files(&name, &rest, from, &light);
        let before = commands.iter().find(|c| c.pipe == Some(number));
        if let Some(before) = before
            .filter(|c| c.words.first().is_some_and(|w| matches!(base(&w.text).as_str(), "echo" | "printf" | "ls")))
        {
            for word in operands("echo", &before.words[1..]) {
                let named = self.named(word, from, &name);
                self.out.push(Use::Reads(named));
            }
        }
    }

    fn named(&self, word: &Word, from: &Path, command: &str) -> Named {
        let path = self.filled(word);
        // `dd if=file`, `--file=file`
        let path = match path.split_once('=') {
            Some((name, value)) if name.starts_with('-') || matches!(name, "if" | "of") => value.to_owned(),
            _ => path,
        };
        Named { path, from: from.to_owned(), is_pattern: word.has_wildcards, command: command.to_owned(), to: None }
    }

    /// A word with the variables that the script itself has set.
    fn filled(&self, word: &Word) -> String {
        let mut text = word.text.clone();
        for name in &word.variables {
            if let Some((_, value)) = self.variables.iter().rev().find(|(n, _)| n == name) {
                text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
            }
        }
        text
    }
}

/// What becomes of a command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// The agent sees it.
    Shown,
    /// The agent sees what a filter lets through.
    Filtered,
    /// It goes to a file.
    File(String),
    /// Nobody sees it: it is counted, compared, or a program's input.
    Swallowed,
}

impl Fate {
    /// Whether it may come to light: shown, or in a file.
    fn comes_to_light(&self) -> bool {
        !matches!(self, Fate::Swallowed)
    }

    fn is_shown(&self) -> bool {
        matches!(self, Fate::Shown | Fate::Filtered)
    }
}

fn fate(commands: &[Command], number: usize) -> Fate {
    let command = &commands[number];
    if let Some(file) = command.redirections.iter().rev().find(|r| r.is_output && !r.reads) {
        return match file.target.text.as_str() {
            "/dev/null" | "NUL" | "$null" => Fate::Swallowed,
            "/dev/stdout" | "/dev/stderr" | "/dev/tty" => Fate::Shown,
            text => Fate::File(text.to_owned()),
        };
    }
    if let Some(next) = command.pipe.filter(|next| *next > number) {
        let words = without_prefixes(&commands[next].words);
        let name = words.first().map(|w| base(&w.text)).unwrap_or_default();
        let arguments = words.get(1..).unwrap_or_default();
        let counts = shows_names_only(&name, arguments) || (name == "cut" && arguments.iter().any(|w| w.text == "-f1"));
        if has(SWALLOW, &name) || counts {
            return Fate::Swallowed;
        }
        return match (manner(&name), fate(commands, next)) {
            (Manner::ReadsAfterFirst, Fate::Shown) => Fate::Filtered,
            (_, fate) => fate,
        };
    }
    match command.inside {
        // `export $(cat .env)`, `X=$(cmd)`: it becomes a variable, not output.
        Some(around) if around != number => {
            let words = without_prefixes(&commands[around].words);
            match words.first().map(|w| base(&w.text)) {
                None => Fate::Swallowed,
                Some(name)
                    if matches!(
                        name.as_str(),
                        "export"
                            | "declare"
                            | "local"
                            | "readonly"
                            | "eval"
                            | "set"
                            | "source"
                            | "."
                            | "["
                            | "[["
                            | "test"
                            | "env"
                            | "if"
                            | "for"
                    ) =>
                {
                    Fate::Swallowed
                }
                // `TOKEN=$(cat key) npm start`
                Some(_) if commands[around].assignments.iter().any(|(_, v)| v.text.is_empty()) => Fate::Swallowed,
                Some(_) => fate(commands, around),
            }
        }
        _ => Fate::Shown,
    }
}

/// Whether a filter lets only names, counts or a yes or no through.
fn shows_names_only(name: &str, arguments: &[Word]) -> bool {
    let has = |flags: &[&str]| arguments.iter().any(|w| flags.contains(&w.text.as_str()));
    match name {
        "grep" | "egrep" | "fgrep" | "rg" | "zgrep" => {
            let short = |c: char| {
                arguments.iter().any(|w| {
                    w.text.starts_with('-')
                        && !w.text.starts_with("--")
                        && w.text[1..].chars().all(|c| c.is_ascii_alphabetic())
                        && w.text.contains(c)
                })
            };
            short('q')
                || short('c')
                || short('l')
                || short('L')
                || has(&["--quiet", "--count", "--files-with-matches", "--files-without-match"])
        }
        // `s/=.*/=…/` hides the values.
        "sed" | "gsed" => {
            arguments
                .iter()
                .any(|w| w.text.contains("s/=.*/") || w.text.contains("s|=.*|") || w.text.contains("s/=.*$/"))
                || has(&["-i"])
                || arguments.iter().any(|w| w.text.starts_with("-i"))
        }
        "awk" | "gawk" | "mawk" => {
            arguments.iter().any(|w| w.text.contains("print $1}") || w.text.contains("print $1 }"))
                && has(&["-F=", "-F"])
        }
        _ => false,
    }
}

/// Whether a list of words has this one.
fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|w| w == word)
}

fn manner(name: &str) -> Manner {
    let lower = name.to_ascii_lowercase();
    MANNERS.iter().find(|(_, names)| has(names, &lower)).map_or(Manner::Reads, |(manner, _)| *manner)
}

/// Whether a command shows the files that it is given.
fn is_reader(name: &str) -> bool {
    matches!(manner(&base(name)), Manner::Reads | Manner::ReadsAfterFirst)
}

/// The name of a program, without its folder.
fn base(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let name = name.strip_suffix(".exe").unwrap_or(name);
    // PowerShell's commands have dashes and capitals.
    if name.contains('-') || name.chars().any(|c| c.is_ascii_uppercase()) {
        name.to_ascii_lowercase()
    } else {
        name.to_owned()
    }
}

/// The words from the command on that `sudo`, `env A=b`, `timeout 5` and the like run.
fn without_prefixes(words: &[Word]) -> &[Word] {
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        let name = base(&first.text);
        let next = if name == "env" {
            after.iter().position(|w| !w.text.starts_with('-') && !w.text.contains('='))
        } else if has(PREFIXES, &name) {
            after.iter().position(|w| !w.text.starts_with('-') && !w.text.starts_with(|c: char| c.is_ascii_digit()))
        } else {
            None
        };
        match next {
            Some(at) if name != "command" || !after.iter().any(|w| w.text == "-v" || w.text == "-V") => {
                rest = &after[at..]
            }
            _ => break,
        }
    }
    rest
}

/// Programs that only show files: none of their options takes one, or a text.
const SHOWERS: &str = "cat tac nl head tail less more bat batcat strings xxd od hexdump hd base64 base32 sort uniq diff \
    column fold rev paste cut pr zcat gzcat type gc get-content";

/// The options of a program that are followed by a value which is no file to be shown.
fn valued(name: &str) -> &'static str {
    match name {
        _ if has(SHOWERS, name) => "",
        "grep" | "egrep" | "fgrep" | "zgrep" | "rg" | "ag" | "ack" => {
            "-e -f -A -B -C -m -g -t -T --regexp --max-count --glob --type"
        }
        "awk" | "gawk" | "mawk" | "nawk" => "-F -v -f",
        "sed" | "gsed" | "perl" => "-e -f -E",
        "jq" | "yq" => "--indent",
        _ => "?",
    }
}

/// The arguments that are no options and no values of such, as far as that can be told.
fn operands<'a>(name: &str, arguments: &'a [Word]) -> Vec<&'a Word> {
    let valued = valued(name);
    let mut out = Vec::new();
    let mut skip = false;
    for word in arguments {
        let text = word.text.as_str();
        if std::mem::take(&mut skip) {
            continue;
        }
        if text.starts_with('-') && text.len() > 1 {
            let (flag, value) = text.split_once('=').map_or((text, None), |(f, v)| (f, Some(v)));
            let harmless = if valued == "?" { has(USED, flag) || has(TEXTS, flag) } else { has(valued, flag) };
            match value {
                None => skip = harmless,
                Some(_) if !harmless => out.push(word),
                Some(_) => {}
            }
        } else if !text.is_empty() && !text.starts_with('!') {
            out.push(word);
        }
    }
    out
}
