//! Which configuration, ignore file and baseline hold: those that stand at the root of what is scanned, or,
//! for a change that is to be merged, those of the revision that it is to be merged into.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bstr::{BStr, BString, ByteSlice};
use keysift::{
    Error, Result,
    config::{self, Config, policy::Texts},
    rule::Ruleset,
    source::{
        file,
        oid::Oid,
        repository::{Environment, Repository},
    },
    triage::{self, Base, Baseline, IgnoreFile, Reader, baseline, ignore_file},
};

use super::revision;

/// The files that a user named; they stand in for those at the root.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named<'a> {
    /// `--config`
    pub(crate) config: Option<&'a Path>,
    /// `--baseline`
    pub(crate) baseline: Option<&'a Path>,
}

/// Whose policy is to hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// Names of one revision: the first that the repository knows counts. None: what stands at the root.
    pub(crate) base: Vec<String>,
    /// What messages call it.
    pub(crate) label: String,
    /// Whether what a change does to the policy counts.
    pub(crate) allow_changes: bool,
    /// Whether a person named the revision, so that it must be one.
    is_named: bool,
}

impl Wish {
    /// What the flags say, or else what the environment of a pull or merge request says.
    pub(crate) fn new(named: Option<&str>, allow_changes: bool) -> Wish {
        let of_ci = || {
            let get = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
            github(&get).or_else(|| gitlab(&get)).unwrap_or_default()
        };
        let (label, base) = match named {
            Some(rev) => (rev.to_owned(), vec![rev.to_owned()]),
            None => of_ci(),
        };
        Wish { base, label, allow_changes, is_named: named.is_some() }
    }
}

/// In a pull request or merge queue of GitHub: the target branch, and the names that its commit may have.
fn github(get: &dyn Fn(&str) -> Option<String>) -> Option<(String, Vec<String>)> {
    get("GITHUB_ACTIONS").filter(|v| v == "true")?;
    let event = get("GITHUB_EVENT_NAME")?;
    if !matches!(event.as_str(), "pull_request" | "pull_request_target" | "merge_group") {
        return None;
    }
    let told: Option<serde_json::Value> =
        get("GITHUB_EVENT_PATH").and_then(|path| serde_json::from_slice(&fs::read(path).ok()?).ok());
    let of_event = told.as_ref().and_then(|told| {
        let id = &told["pull_request"]["base"]["sha"];
        id.as_str().or_else(|| told["merge_group"]["base_sha"].as_str())
    });
    let branch = get("GITHUB_BASE_REF");
    let mut base: Vec<String> = of_event.map(str::to_owned).into_iter().collect();
    base.extend(branch.as_ref().map(|name| format!("refs/remotes/origin/{name}")));
    (!base.is_empty()).then(|| (branch.unwrap_or_else(|| "the target branch".to_owned()), base))
}

/// In a merge request of GitLab: the same.
fn gitlab(get: &dyn Fn(&str) -> Option<String>) -> Option<(String, Vec<String>)> {
    get("GITLAB_CI")?;
    let branch = get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")?;
    let mut base: Vec<String> = get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA").into_iter().collect();
    base.push(format!("refs/remotes/origin/{branch}"));
    // Where the target and the source part: older, but the target's own.
    base.extend(get("CI_MERGE_REQUEST_DIFF_BASE_SHA"));
    Some((branch, base))
}

/// Where the files of a policy are read.
#[derive(Clone)]
enum Place {
    Folder(PathBuf),
    Revision {
        repository: Arc<Mutex<Repository>>,
        commit: Oid,
        root: Option<PathBuf>,
    },
    /// A repository without a commit.
    Nowhere,
}

impl Place {
    fn revision(repository: &Repository, commit: Oid) -> Result<Place> {
        let root = repository.root().and_then(|root| fs::canonicalize(root).ok());
        Ok(Place::Revision { repository: Arc::new(Mutex::new(repository.reopen()?)), commit, root })
    }

    fn read(&self, path: &BStr) -> Option<Vec<u8>> {
        self.open(path).ok().flatten()
    }

    /// The content of a path from the root; `None` where there is none.
    fn open(&self, path: &BStr) -> Result<Option<Vec<u8>>> {
        match self {
            Place::Nowhere => Ok(None),
            Place::Folder(root) => {
                let path = root.join(path.to_path_lossy());
                match file::read(&path) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(e) => Err(unreadable(&path, e)),
                }
            }
            Place::Revision { repository, commit, .. } => {
                let repository = repository.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(revision::file_at(&repository, *commit, path))
            }
        }
    }

    /// A file that the user named: on disk, unless this is a revision and the file is part of it.
    fn open_named(&self, path: &Path, what: &str) -> Result<Option<Vec<u8>>> {
        if let Place::Revision { root: Some(root), .. } = self
            && let Some(inside) = fs::canonicalize(path).ok().as_deref().and_then(|p| p.strip_prefix(root).ok())
        {
            let inside = BString::from(inside.to_string_lossy().replace('\\', "/"));
            return self.open(inside.as_bstr());
        }
        fs::read(path).map(Some).map_err(|e| match what {
            "baseline" => Error::new(format!("cannot read baseline {}", path.display()))
                .because(e)
                .help("`keysift baseline create` makes one"),
            _ => Error::new(format!("cannot read configuration {}", path.display()))
                .because(e)
                .help("name a TOML file that you may read"),
        })
    }

    fn text(&self, path: &str) -> io::Result<String> {
        match self.open(path.into()) {
            Ok(Some(bytes)) => String::from_utf8(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e)),
            Ok(None) => Err(io::ErrorKind::NotFound.into()),
            Err(e) => Err(io::Error::other(e.to_string())),
        }
    }

    /// The texts of the policy that stands here.
    fn texts(&self, named: Named<'_>) -> Result<Texts> {
        let text = |name: &str, bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|_| Error::new(format!("cannot read {name}")).because("it is not UTF-8"))
        };
        let mut config = None;
        if let Some(path) = named.config {
            let name = path.display().to_string();
            if let Some(bytes) = self.open_named(path, "configuration")? {
                config = Some((name.clone(), text(&name, bytes)?));
            }
        } else {
            for name in [config::NAME, config::GITLEAKS_NAME] {
                if let Some(bytes) = self.open(name.into())? {
                    config = Some((name.to_owned(), text(name, bytes)?));
                    break;
                }
            }
        }
        let ignore = match self.open(ignore_file::NAME.into())? {
            Some(bytes) => Some(text(ignore_file::NAME, bytes)?),
            None => None,
        };
        let baseline = match named.baseline {
            Some(path) => self.open_named(path, "baseline")?,
            None => {
                // A configuration that cannot be read is complained about by whoever uses it.
                let own = config.as_ref().and_then(|(name, text)| self.parse(name, text, named).ok()?.baseline);
                let found = self.open(own.as_deref().unwrap_or(baseline::NAME).into())?;
                if let (Some(path), None, Place::Folder(root)) = (&own, &found, self) {
                    return Err(Error::new(format!("cannot read baseline {}", root.join(path).display()))
                        .because("the configuration names it, and it is not there")
                        .help("`keysift baseline create` makes it"));
                }
                found
            }
        };
        Ok(Texts { config, ignore, baseline })
    }

    fn parse(&self, name: &str, text: &str, named: Named<'_>) -> Result<Config> {
        let beside = named.config.and_then(Path::parent);
        Config::parse(text, name, &|path| {
            self.text(path).or_else(|error| {
                let beside = beside.ok_or(()).and_then(|folder| fs::read_to_string(folder.join(path)).map_err(drop));
                beside.map_err(|()| error)
            })
        })
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(format!("cannot read {}", path.display())).because(error)
}

/// What holds.
pub(crate) struct Policy {
    /// The configuration.
    pub(crate) config: Config,
    /// What the person who runs it should know.
    pub(crate) remarks: Vec<String>,
    ignore: IgnoreFile,
    baseline: Option<Baseline>,
    base: Option<Base>,
    now: Place,
}

impl Policy {
    /// The policy of a scan of `repository`, or else of the folder `root`.
    ///
    /// # Errors
    /// A file cannot be read or used; the base is not there, and there is something that it must decide.
    pub(crate) fn of(repository: Option<&Repository>, root: &Path, named: Named<'_>, wish: &Wish) -> Result<Policy> {
        let now = match repository {
            Some(bare) if bare.root().is_none() => {
                bare.head().map_or(Ok(Place::Nowhere), |head| Place::revision(bare, head))?
            }
            _ => Place::Folder(root.to_owned()),
        };
        Policy::with_base(repository, now, named, wish)
    }

    /// The policy at a path: that of the repository or folder that it lies in.
    ///
    /// # Errors
    /// As for [`Policy::of`].
    pub(crate) fn here(path: &Path, config: Option<&Path>) -> Result<Policy> {
        let repository = Repository::discover(path, &Environment::of_process())?;
        let root = repository.as_ref().and_then(Repository::root).map_or_else(|| PathBuf::from("."), PathBuf::from);
        Policy::of(repository.as_ref(), &root, Named { config, baseline: None }, &Wish::default())
    }

    /// The policy for commits that are being pushed: that of `base`, `now` being what they would make of it.
    ///
    /// # Errors
    /// As for [`Policy::of`].
    pub(crate) fn of_push(
        repository: &Repository,
        base: Option<Oid>,
        now: Oid,
        label: &str,
        named: Named<'_>,
        allow_changes: bool,
    ) -> Result<Policy> {
        let now = Place::revision(repository, now)?;
        let base = base.map_or(Ok(Place::Nowhere), |id| Place::revision(repository, id))?;
        Policy::decided(now, Some(base), named, label, allow_changes)
    }

    fn with_base(repository: Option<&Repository>, now: Place, named: Named<'_>, wish: &Wish) -> Result<Policy> {
        let base = match repository {
            Some(repository) if !wish.base.is_empty() => {
                let found = wish.base.iter().find_map(|rev| {
                    let range = repository.resolve(&[rev]).ok()?;
                    range.include.first().copied().filter(|id| repository.has(*id))
                });
                // An object id may mean a commit that this clone does not have, or nothing (a first push).
                let is_id = Oid::from_hex(wish.label.as_bytes()).is_some();
                match found {
                    Some(id) => Some(Place::revision(repository, id)?),
                    None if wish.is_named && !is_id => {
                        return Err(Error::new(format!("--policy-from names no revision: `{}`", wish.label))
                            .help("name a commit, branch or tag that `git rev-parse` knows"));
                    }
                    None if wish.allow_changes || now.texts(named)? == Texts::default() => Some(Place::Nowhere),
                    None => {
                        return Err(Error::new(format!("cannot read the policy of {}", wish.label))
                            .because(format!("none of {} is in this clone", wish.base.join(", ")))
                            .help(
                                "a change must not set its own findings aside: fetch the target branch (in CI: \
                                 fetch-depth: 0), or let the change's own policy count with --allow-policy-changes",
                            ));
                    }
                }
            }
            _ => None,
        };
        Policy::decided(now, base, named, &wish.label, wish.allow_changes)
    }

    fn decided(now: Place, base: Option<Place>, named: Named<'_>, label: &str, allow: bool) -> Result<Policy> {
        let mut texts = now.texts(named);
        let mut remarks = Vec::new();
        let mut place = now.clone();
        if let Some(base) = &base {
            let builtin = Ruleset::builtin();
            let then = base.texts(named)?;
            let mine = match texts {
                Ok(mine) => mine,
                Err(error) if allow => return Err(error),
                Err(error) => {
                    remarks.push(format!("policy from {label}: that of this change cannot be read: {error}"));
                    then.clone()
                }
            };
            let decision = config::policy::decide(then, mine, allow, &builtin, &|p| base.text(p), &|p| now.text(p))?;
            let fate = if allow { "allowed" } else { "does not count before it is merged (--allow-policy-changes)" };
            remarks.extend(
                decision.changes.iter().map(|change| format!("policy of {label}: this change {}; {fate}", change.what)),
            );
            if !allow {
                place = base.clone();
            }
            texts = Ok(decision.texts);
        }
        let Texts { config, ignore, baseline } = texts?;
        let config = match &config {
            Some((name, text)) => place.parse(name, text, named)?,
            None => Config::none(),
        };
        let exclude = config.exclude.join("\n");
        let ignore = IgnoreFile::parse([
            (ignore_file::NAME, ignore.as_deref().unwrap_or_default()),
            (config.name.as_str(), exclude.as_str()),
        ])?;
        let name = match (named.baseline, &config.baseline) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(path)) => path.clone(),
            (None, None) => baseline::NAME.to_owned(),
        };
        let baseline = baseline.map(|bytes| Baseline::parse(&bytes, &name)).transpose()?;
        let base = base.map(|place| Base::new(label, Reader::new(move |path| place.read(path)), allow));
        Ok(Policy { config, remarks, ignore, baseline, base, now })
    }

    /// Where the baseline is, from the root.
    pub(crate) fn baseline_path(&self) -> &str {
        self.config.baseline.as_deref().unwrap_or(baseline::NAME)
    }

    /// What sets findings aside: comments, the ignore file, the baseline. Without `known` no baseline does.
    pub(crate) fn triage(self, inline: bool, known: bool, coverage: baseline::Coverage) -> triage::Options {
        let Policy { config, ignore, baseline, base, now, .. } = self;
        let mut usage = baseline::Use { coverage, ..baseline::Use::default() };
        if let Some(scope) = config.baseline_scope {
            usage.scope = scope;
        }
        usage.now = Some(Reader::new(move |path| now.read(path)));
        triage::Options {
            inline: inline && config.inline.unwrap_or(true),
            ignore: (!ignore.is_empty()).then_some(ignore),
            baseline: baseline.filter(|_| known),
            usage,
            base,
        }
    }
}
