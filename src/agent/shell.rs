//! A shell command, taken apart far enough to say which files it touches and whether it prints secrets.
//!
//! Written for accidents, not for adversaries: whoever wants to can hide a file's name from it. It takes
//! whatever it is given (bash, zsh, fish, PowerShell are alike enough) and never fails: a command that makes
//! no sense to it has fewer words, and what the command puts out is looked at afterwards.

pub mod usage;

/// How deep substitutions and scripts in scripts are looked into.
const DEPTH: usize = 12;
/// How many commands of a script are looked at.
const COMMANDS: usize = 4096;

/// One simple command of a script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Its name and arguments, without assignments and redirections.
    pub words: Vec<Word>,
    /// `NAME=value` before the name.
    pub assignments: Vec<(String, Word)>,
    /// Files that it is connected with.
    pub redirections: Vec<Redirection>,
    /// The text of its here-documents and here-strings.
    pub input: Vec<String>,
    /// The command that its output is piped to, by number.
    pub pipe: Option<usize>,
    /// The command in whose arguments its output is put, by number.
    pub inside: Option<usize>,
}

/// A word, with quotes taken off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// The text; variables stand in it as they were written.
    pub text: String,
    /// The variables in it whose value it takes.
    pub variables: Vec<String>,
    /// Whether it has wildcards or braces outside of quotes.
    pub has_wildcards: bool,
    /// Whether any of it was quoted.
    pub is_quoted: bool,
}

/// A file that a command is connected with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    /// Whether the command reads from it.
    pub reads: bool,
    /// Whether it is where standard output goes (not only errors).
    pub is_output: bool,
    /// The file.
    pub target: Word,
}

/// The commands of a script, in the order of their text; those in substitutions before the one around them.
pub fn parse(script: &str) -> Vec<Command> {
    let mut parser = Parser::new(script, Vec::new(), 0);
    parser.list(None);
    parser.out
}

/// A word as it is written in a shell.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    /// Where what is being read ends.
    end: usize,
    out: Vec<Command>,
    /// Here-documents whose text begins after this line: the command's number, the end mark, whether the
    /// text is expanded, whether tabs are taken off.
    heredocs: Vec<(usize, String, bool, bool)>,
    depth: usize,
}

/// A command that is being read.
#[derive(Default)]
struct Open {
    number: Option<usize>,
    command: Command,
}

impl Parser {
    fn new(text: &str, out: Vec<Command>, depth: usize) -> Parser {
        let chars: Vec<char> = text.chars().collect();
        Parser { end: chars.len(), chars, at: 0, out, heredocs: Vec::new(), depth }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        let at = self.at + ahead;
        if at < self.end { self.chars.get(at).copied() } else { None }
    }

    /// Reads commands to the end; `inside` is the command in whose arguments they stand.
    fn list(&mut self, inside: Option<usize>) {
        self.depth += 1;
        let mut open = Open::default();
        let mut piped: Option<usize> = None;
        while let Some(c) = self.peek(0) {
            match c {
                ' ' | '\t' | '\r' => self.at += 1,
                '\\' if self.peek(1) == Some('\n') => self.at += 2,
                '#' => self.skip_line(),
                '\n' => {
                    self.at += 1;
                    self.end(&mut open, &mut piped, false, inside);
                    self.read_heredocs();
                }
                ';' => {
                    self.at += 1;
                    self.end(&mut open, &mut piped, false, inside);
                }
                '&' if self.peek(1) == Some('>') => self.redirection(&mut open),
                '&' => {
                    self.at += if self.peek(1) == Some('&') { 2 } else { 1 };
                    self.end(&mut open, &mut piped, false, inside);
                }
                '|' => {
                    let pipes = self.peek(1) != Some('|');
                    self.at += if !pipes || self.peek(1) == Some('&') { 2 } else { 1 };
                    self.end(&mut open, &mut piped, pipes, inside);
                }
                '(' | ')' => {
                    // A group: its commands are commands.
                    self.at += 1;
                    self.end(&mut open, &mut piped, false, inside);
                }
                '<' | '>' if self.peek(1) != Some('(') => self.redirection(&mut open),
                c if c.is_ascii_digit() && self.is_numbered_redirection() => {
                    let before = open.command.redirections.len();
                    self.at += 1;
                    self.redirection(&mut open);
                    if c == '2'
                        && let Some(last) = open.command.redirections.get_mut(before)
                    {
                        last.is_output = false;
                    }
                }
                _ => self.take_word(&mut open),
            }
        }
        self.end(&mut open, &mut piped, false, inside);
        self.read_heredocs();
        self.depth -= 1;
    }

    /// Puts a word to the command that is being read.
    fn take_word(&mut self, open: &mut Open) {
        let number = self.number(open);
        let start = self.at;
        let word = self.word(number);
        if self.at == start {
            self.at += 1;
            return;
        }
        let structure = [
            "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "{", "}",
            "!", "function",
        ];
        if open.command.words.is_empty() {
            if !word.is_quoted && structure.contains(&word.text.as_str()) {
                return;
            }
            if let Some((name, value)) = word.text.split_once('=')
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '+')
                && !name.starts_with(|c: char| c.is_ascii_digit())
            {
                let value = Word { text: value.to_owned(), ..word.clone() };
                open.command.assignments.push((name.trim_end_matches('+').to_owned(), value));
                return;
            }
        }
        open.command.words.push(word);
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.at += 1;
        }
    }

    fn is_numbered_redirection(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.chars.get(at));
        matches!(self.peek(1), Some('<' | '>')) && before.is_none_or(|c| c.is_whitespace() || "|&;(".contains(*c))
    }

    /// The number that the command being read has.
    fn number(&mut self, open: &mut Open) -> usize {
        *open.number.get_or_insert_with(|| {
            self.out.push(Command::default());
            self.out.len() - 1
        })
    }

    /// The command that is being read is complete.
    fn end(&mut self, open: &mut Open, piped: &mut Option<usize>, pipes: bool, inside: Option<usize>) {
        let Open { number, mut command } = std::mem::take(open);
        let Some(number) = number else { return };
        command.inside = inside;
        command.input.append(&mut self.out[number].input);
        self.out[number] = command;
        if let Some(before) = piped.take() {
            self.out[before].pipe = Some(number);
        }
        if pipes {
            *piped = Some(number);
        }
    }

    /// `> file`, `<< END`, `2>&1`, …
    fn redirection(&mut self, open: &mut Open) {
        let number = self.number(open);
        let (mut operator, both) = (String::new(), self.peek(0) == Some('&'));
        while let Some(c) = self.peek(0).filter(|c| "<>&|-".contains(*c)) {
            // `<<-` takes tabs off; any other `-` belongs to the word.
            if (c == '-' && operator != "<<") || operator.len() == 3 {
                break;
            }
            operator.push(c);
            self.at += 1;
        }
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.at += 1;
        }
        let mark_start = self.at;
        let target = self.word(number);
        if operator.starts_with("<<<") {
            open.command.input.push(target.text.clone());
            return;
        }
        if operator.starts_with("<<") {
            let expands = !self.chars[mark_start..self.at].iter().any(|c| "'\"\\".contains(*c));
            self.heredocs.push((number, target.text, expands, operator.ends_with('-')));
            return;
        }
        // `2>&1`, `>&-`
        let is_descriptor = operator.ends_with('&') && target.text.chars().all(|c| c.is_ascii_digit() || c == '-');
        if !is_descriptor && !target.text.is_empty() {
            let reads = operator.starts_with('<') && !operator.contains('>');
            open.command.redirections.push(Redirection { reads, is_output: !reads || both, target });
        }
    }

    /// The text of the here-documents that begin here.
    fn read_heredocs(&mut self) {
        for (number, mark, expands, tabs) in std::mem::take(&mut self.heredocs) {
            let mut text = String::new();
            while self.at < self.end {
                let end = self.find('\n').unwrap_or(self.end);
                let line: String = self.chars[self.at..end].iter().collect();
                self.at = (end + 1).min(self.end);
                let bare = if tabs { line.trim_start_matches('\t') } else { &line };
                if bare.trim_end_matches('\r') == mark {
                    break;
                }
                text.push_str(&line);
                text.push('\n');
            }
            // Only what is run in it is a command; the rest is text.
            if expands && self.depth < DEPTH {
                let mut inner = Parser::new(&text, std::mem::take(&mut self.out), self.depth);
                inner.substitutions(number);
                self.out = inner.out;
            }
            if let Some(command) = self.out.get_mut(number) {
                command.input.push(text);
            }
        }
    }

    /// Reads only the substitutions of a text.
    fn substitutions(&mut self, number: usize) {
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('\\', _) => self.at += 2,
                ('$', Some('(')) | ('`', _) => {
                    let mut word = Word::default();
                    self.dollar_or_backtick(&mut word, number);
                }
                _ => self.at += 1,
            }
        }
    }

    /// A word; `number` is the command that it belongs to.
    fn word(&mut self, number: usize) -> Word {
        let mut word = Word::default();
        while let Some(c) = self.peek(0) {
            match c {
                '\\' => {
                    match self.peek(1) {
                        Some('\n') => {}
                        // A path of Windows, rather than an escaped letter.
                        Some(next) if next.is_ascii_alphanumeric() => word.text.extend(['\\', next]),
                        Some(next) => word.text.push(next),
                        None => {}
                    }
                    self.at += 2;
                }
                '\'' => {
                    self.at += 1;
                    word.is_quoted = true;
                    while let Some(c) = self.peek(0).filter(|c| *c != '\'') {
                        word.text.push(c);
                        self.at += 1;
                    }
                    self.at += 1;
                }
                '"' => {
                    self.at += 1;
                    word.is_quoted = true;
                    self.double_quoted(&mut word, number);
                }
                '$' if matches!(self.peek(1), Some('\'' | '"')) => self.at += 1,
                '$' | '`' => self.dollar_or_backtick(&mut word, number),
                '<' | '>' if self.peek(1) == Some('(') => {
                    self.at += 2;
                    self.substitute(Some(')'), number);
                }
                '(' if word.text.ends_with('=') => {
                    // An array: its words are values.
                    self.at += 1;
                    while self.peek(0).is_some_and(|c| c != ')') {
                        self.at += 1;
                    }
                    self.at += 1;
                }
                ' ' | '\t' | '\n' | '\r' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                _ => {
                    word.has_wildcards |= matches!(c, '*' | '?' | '[' | '{');
                    word.text.push(c);
                    self.at += 1;
                }
            }
        }
        word
    }

    fn double_quoted(&mut self, word: &mut Word, number: usize) {
        while let Some(c) = self.peek(0) {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => {
                    match self.peek(1) {
                        Some('\n') | None => {}
                        Some(next @ ('"' | '\\' | '$' | '`')) => word.text.push(next),
                        Some(next) => word.text.extend(['\\', next]),
                    }
                    self.at += 2;
                }
                '$' | '`' => self.dollar_or_backtick(word, number),
                _ => {
                    word.text.push(c);
                    self.at += 1;
                }
            }
        }
    }

    fn dollar_or_backtick(&mut self, word: &mut Word, number: usize) {
        match (self.peek(0), self.peek(1)) {
            (Some('`'), _) => {
                self.at += 1;
                self.substitute(Some('`'), number);
            }
            (_, Some('(')) if self.peek(2) == Some('(') => {
                // Arithmetic.
                let end = self.chars[self.at..self.end].windows(2).position(|w| w == [')', ')']);
                self.at = end.map_or(self.end, |n| self.at + n + 2);
            }
            (_, Some('(')) => {
                self.at += 2;
                self.substitute(Some(')'), number);
            }
            (_, Some('{')) => {
                let end = self.find('}').map_or(self.end, |at| at + 1);
                let text: String = self.chars[self.at..end].iter().collect();
                self.at = end;
                let inner = text.trim_start_matches("${").trim_end_matches('}');
                let name: String = inner.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                // `${#NAME}` is a length, `${NAME:+x}` only says whether it is set.
                let behind = &inner[name.len()..];
                if !name.is_empty() && !behind.starts_with(":+") && !behind.starts_with('+') {
                    word.variables.push(name);
                }
                word.text.push_str(&text);
            }
            _ => {
                self.at += 1;
                let mut name = String::new();
                while let Some(c) = self.peek(0).filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                    self.at += 1;
                }
                // PowerShell's `$env:NAME`.
                if name.eq_ignore_ascii_case("env") && self.peek(0) == Some(':') {
                    self.at += 1;
                    let mut inner = String::new();
                    while let Some(c) = self.peek(0).filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        inner.push(c);
                        self.at += 1;
                    }
                    word.text.push_str(&format!("$env:{inner}"));
                    word.variables.push(inner);
                    return;
                }
                word.text.push('$');
                word.text.push_str(&name);
                if !name.is_empty() {
                    word.variables.push(name);
                }
            }
        }
    }

    /// The commands of a substitution whose first character is here.
    fn substitute(&mut self, close: Option<char>, number: usize) {
        if self.depth >= DEPTH || self.out.len() >= COMMANDS {
            // Too deep: nobody writes that by accident.
            self.at = self.end;
            return;
        }
        let heredocs = std::mem::take(&mut self.heredocs);
        self.group(close, number);
        self.heredocs = heredocs;
        if self.peek(0) == close {
            self.at += 1;
        }
    }

    /// As [`Parser::list`], with groups in it balanced.
    fn group(&mut self, close: Option<char>, number: usize) {
        // The closing character is the one that no group opened: found first, so that `list` stays simple.
        let close = if close == Some('`') { self.find('`').unwrap_or(self.end) } else { self.closing() };
        let around = std::mem::replace(&mut self.end, close);
        self.list(Some(number));
        self.at = self.end;
        self.end = around;
    }

    /// Where this character stands next.
    fn find(&self, wanted: char) -> Option<usize> {
        self.chars[self.at..self.end].iter().position(|c| *c == wanted).map(|n| self.at + n)
    }

    /// Where the parenthesis that is open here closes.
    fn closing(&self) -> usize {
        let (mut depth, mut at) = (0usize, self.at);
        while at < self.end {
            match self.chars[at] {
                '\\' => at += 1,
                '\'' => at += self.chars[at + 1..self.end].iter().position(|c| *c == '\'').map_or(0, |n| n + 1),
                '(' => depth += 1,
                ')' if depth == 0 => return at,
                ')' => depth -= 1,
                _ => {}
            }
            at += 1;
        }
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<Vec<String>> {
        // A word of the shell's own (`fi`) leaves a command without words.
        let commands = parse(script).into_iter().filter(|c| !c.words.is_empty() || !c.redirections.is_empty());
        commands.map(|c| c.words.into_iter().map(|w| w.text).collect()).collect()
    }

    #[test]
    fn commands_are_taken_apart() {
        assert_eq!(
            words("cd a && cat 'b c' \"d\"e | wc -l; x"),
            [vec!["cd", "a"], vec!["cat", "b c", "de"], vec!["wc", "-l"], vec!["x"]]
        );
        assert_eq!(words("if test -f .env; then cat .env; fi"), [vec!["test", "-f", ".env"], vec!["cat", ".env"]]);
        assert_eq!(words("A=1 B='x y' run # cat .env"), [vec!["run"]]);
        assert_eq!(words("(cd x; ls) > out"), [vec!["cd", "x"], vec!["ls"], vec![]]);
    }

    #[test]
    fn substitutions_are_commands_of_their_own() {
        let commands = parse("echo \"$(cat .env | head -1)\" `id` <(sort f)");
        let names: Vec<&str> = commands.iter().map(|c| c.words[0].text.as_str()).collect();
        assert_eq!(names, ["echo", "cat", "head", "id", "sort"]);
        assert_eq!(commands[1].inside, Some(0));
        assert_eq!(commands[1].pipe, Some(2));
    }

    #[test]
    fn here_documents_are_no_words() {
        let commands = parse("cat > README <<'EOF'\nrun `cat .env` $(cat .env)\nEOF\nls");
        assert_eq!(commands.len(), 2, "{commands:?}");
        assert_eq!(commands[0].redirections[0].target.text, "README");
        assert!(commands[0].input[0].contains("cat .env"));
        let commands = parse("cat <<EOF\n$(cat .env)\nEOF\n");
        assert_eq!(commands[1].words[1].text, ".env");
    }

    #[test]
    fn variables_and_redirections_are_seen() {
        let commands = parse("echo $A \"${B:-x}\" ${C:+y} '$D' 2>/dev/null >> log 2>&1 < in");
        let names: Vec<&str> = commands[0].words.iter().flat_map(|w| &w.variables).map(String::as_str).collect();
        assert_eq!(names, ["A", "B"]);
        let files: Vec<(&str, bool)> =
            commands[0].redirections.iter().map(|r| (r.target.text.as_str(), r.is_output)).collect();
        assert_eq!(files, [("/dev/null", false), ("log", true), ("in", false)]);
    }

    #[test]
    fn nonsense_ends() {
        for script in
            ["$(", "`", "\"", "'", "<<", "<<EOF", "$((", "${", "((((", "))))", "\\", "a <<<", ">", "&>", "$env:", "x=("]
        {
            let _ = parse(script);
            let _ = parse(&script.repeat(2000));
        }
    }
}
