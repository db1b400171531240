//! What the words of names say, and the words that stand where a password would.

/// What a word of a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Password,
    Secret,
    Token,
    ApiKey,
    Key,
    Auth,
    Credential,
    Private,
    Vendor,
    Public,
    Place,
    Text,
    Shape,
    Act,
    OtherKey,
    User,
    Nothing,
}

/// What a lower-case word of a name says.
#[rustfmt::skip]
pub(super) fn says(word: &[u8]) -> Says {
    match word {
        b"password" | b"passwd" | b"pwd" | b"pass" | b"passphrase" | b"passcode" | b"passwort" | b"pw" | b"psw"
        | b"pword" | b"passwords" | b"passw" | b"pswd" | b"psswd" | b"userpassword" | b"dbpassword"
        | b"rootpassword" | b"adminpassword" | b"dbpass" | b"dbpasswd" | b"userpass" | b"passphrases" | b"rootpw"
        | b"bindpw" | b"adminpw" | b"requirepass" | b"masterauth" | b"storepass" | b"keypass" | b"contrasena"
        | b"senha" | b"kennwort" | b"pgpassword" | b"mypassword" | b"authpass" | b"authpassword" | b"smtppassword"
        | b"storepassword" | b"keypassword" | b"mysqlpassword" | b"myswl" | b"sshpass" | b"userpwd" | b"passwd1"
        | b"pincode" | b"identified" | b"parola" => Says::Password,
        b"secret" | b"secrets" | b"clientsecret" | b"appsecret" | b"apisecret" | b"authsecret" | b"jwtsecret"
        | b"sharedsecret" | b"appsecrets" => Says::Secret,
        b"token" | b"tokens" | b"accesstoken" | b"authtoken" | b"apitoken" | b"bearertoken" | b"refreshtoken"
        | b"jwt" | b"bearer" | b"pat" | b"idtoken" | b"usertoken" | b"bottoken" | b"githubtoken" => Says::Token,
        b"apikey" | b"apikeys" | b"appkey" | b"secretkey" | b"accesskey" | b"authkey" | b"privatekey"
        | b"encryptionkey" | b"masterkey" | b"signingkey" | b"accountkey" | b"sharedkey" | b"apikeyv3"
        | b"licensekey" | b"hexkey" | b"ikm" | b"servicekey" | b"accesskeysecret" | b"sharedaccesskey" | b"cryptkey"
        | b"aeskey" | b"consumerkey" | b"writekey" | b"adminkey" => Says::ApiKey,
        b"key" | b"keys" => Says::Key,
        b"auth" | b"authorization" | b"authentication" | b"oauth" | b"oauth2" | b"authorisation" => Says::Auth,
        b"credential" | b"credentials" | b"cred" | b"creds" => Says::Credential,
        b"private" | b"priv" | b"encryption" | b"encrypt" | b"signing" | b"sign" | b"session" | b"master" | b"crypt"
        | b"crypto" | b"aes" | b"hmac" | b"cookie" | b"base" | b"shared" | b"cipher" | b"decryption" | b"decrypt"
        | b"signature" | b"des" | b"rsa" | b"ecdsa" | b"salt" | b"otp" | b"totp" | b"webhook" | b"wep" | b"wpa"
        | b"psk" | b"license" => Says::Private,
        b"api" | b"access" | b"client" | b"app" | b"application" | b"refresh" | b"consumer" | b"service"
        | b"account" | b"admin" | b"root" | b"bot" | b"aws" | b"azure" | b"github" | b"gitlab" | b"slack"
        | b"stripe" | b"google" | b"twitter" | b"facebook" | b"sendgrid" | b"mailgun" | b"twilio" | b"security"
        | b"smtp" | b"mail" | b"ftp" | b"ldap" | b"deploy" | b"integration" | b"test" => Says::Vendor,
        b"public" | b"pub" | b"hash" | b"hashed" | b"digest" | b"checksum" | b"fingerprint" | b"id" | b"ids"
        | b"identifier" | b"uuid" | b"guid" | b"md5" | b"sha" | b"sha1" | b"sha256" | b"encrypted" | b"encoded" | b"recv" | b"cert"
        | b"certificate" | b"thumbprint" | b"publishable" | b"ref" | b"reference" | b"arn" | b"alias" | b"integrity"
        | b"etag" | b"commit" | b"revision" | b"kid" | b"keyid" | b"tokenid" | b"clientid" | b"crypted" | b"site" => Says::Public,
        b"url" | b"uri" | b"path" | b"file" | b"filename" | b"dir" | b"directory" | b"folder" | b"endpoint"
        | b"location" | b"link" | b"href" | b"page" | b"route" | b"view" | b"store" | b"vault" | b"manager"
        | b"bucket" | b"provider" | b"server" | b"method" | b"source" | b"mount" | b"namespace" | b"package"
        | b"import" | b"handler" | b"callback" | b"controller" | b"module" | b"factory" | b"class" => Says::Place,
        b"label" | b"title" | b"text" | b"message" | b"msg" | b"hint" | b"tooltip" | b"help" | b"description"
        | b"desc" | b"placeholder" | b"error" | b"errors" | b"warning" | b"info" | b"notice" | b"prompt"
        | b"caption" | b"example" | b"name" | b"names" | b"field" | b"input" | b"button" | b"column" | b"header"
        | b"headers" | b"prefix" | b"suffix" | b"param" | b"parameter" | b"attr" | b"attribute" | b"env" | b"var"
        | b"variable" | b"property" | b"form" | b"icon" | b"confirm" | b"forgot" | b"invalid" | b"missing"
        | b"required" | b"wrong" | b"incorrect" | b"subject" | b"term" | b"word" | b"words" | b"str" | b"format"
        | b"template" | b"pattern" | b"regex" | b"delimiter" | b"separator" => Says::Text,
        b"type" | b"kind" | b"size" | b"length" | b"len" | b"count" | b"num" | b"number" | b"index" | b"idx"
        | b"max" | b"min" | b"limit" | b"time" | b"timeout" | b"ttl" | b"expiry" | b"expires" | b"expiration"
        | b"expire" | b"age" | b"date" | b"policy" | b"strength" | b"mode" | b"status" | b"state" | b"enabled"
        | b"disabled" | b"version" | b"rotation" | b"algorithm" | b"alg" | b"usage" | b"scope" | b"scopes" | b"role"
        | b"level" | b"interval" | b"bits" | b"offset" | b"pos" | b"position" | b"order" | b"set" | b"list" | b"map"
        | b"array" | b"dict" | b"object" | b"data" | b"schema" | b"rule" | b"rules" | b"valid" | b"validity"
        | b"duration" | b"option" | b"options" | b"config" | b"settings" | b"action" | b"event" | b"code" | b"grant"
        | b"flow" | b"request" | b"response" | b"result" | b"func" | b"function" | b"total" | b"at" | b"in"
        | b"only" | b"flag" | b"available" | b"supported" | b"mechanism" | b"mechanisms" | b"scheme" => Says::Shape,
        b"get" | b"is" | b"has" | b"check" | b"validate" | b"verify" | b"generate" | b"create" | b"update"
        | b"delete" | b"remove" | b"add" | b"reset" | b"change" | b"parse" | b"load" | b"read" | b"fetch" | b"find"
        | b"use" | b"show" | b"hide" | b"on" | b"make" | b"build" | b"compute" | b"allow" | b"enable" | b"disable"
        | b"require" | b"with" | b"without" | b"should" | b"can" | b"assert" | b"compare" | b"expect" | b"revoke"
        | b"return" | b"print" | b"run" => Says::Act,
        b"foreign" | b"primary" | b"cache" | b"sort" | b"partition" | b"group" | b"routing" | b"translation"
        | b"i18n" | b"locale" | b"storage" | b"lookup" | b"unique" | b"composite" | b"registry" | b"keyboard"
        | b"hot" | b"shortcut" | b"press" | b"down" | b"up" | b"left" | b"right" | b"enter" | b"arrow" | b"row"
        | b"item" | b"tab" | b"next" | b"continuation" | b"cursor" | b"sync" | b"csrf" | b"xsrf" | b"design"
        | b"authenticity" | b"document"
        | b"syntax" | b"lexer" | b"parser" | b"end" | b"eof" | b"start" | b"begin" | b"identity" | b"resource"
        | b"metadata" | b"tag" | b"feature" | b"layout" | b"panel" | b"query" | b"widget" | b"menu" | b"plugin"
        | b"window" | b"frame" | b"first" | b"last" | b"prev" | b"previous" | b"other" | b"parent" | b"child"
        | b"node" | b"low" | b"high" | b"band" | b"dedup" | b"idempotency" | b"host" | b"known" | b"extra" => Says::OtherKey,
        b"user" | b"username" | b"db" | b"database" | b"mysql" | b"postgres" | b"redis" | b"mongo" | b"rabbitmq"
        | b"email" | b"login" | b"proxy" | b"owner" | b"wifi" | b"ssh" | b"http" | b"https" | b"jdbc" | b"keystore"
        | b"truststore" | b"default" | b"initial" => Says::User,
        _ => {
            // `NOPASSWD`, `GIT_ASKPASS`, `namepass`: none is meant.
            if word.starts_with(b"nopass") || matches!(word, b"namepass" | b"askpass") {
                return Says::Nothing;
            }
            for (end, what) in [
                (&b"password"[..], Says::Password),
                (b"passwd", Says::Password),
                (b"passphrase", Says::Password),
                (b"secret", Says::Secret),
                (b"token", Says::Token),
                (b"apikey", Says::ApiKey),
                (b"secretkey", Says::ApiKey),
                (b"accesskey", Says::ApiKey),
                (b"credentials", Says::Credential),
                (b"pwd", Says::Password),
            ] {
                if word.len() > end.len()
                    && (word.ends_with(end)
                        || (end.len() > 5 && word.starts_with(end) && word[end.len()..].iter().all(u8::is_ascii_digit)))
                {
                    return what;
                }
            }
            let ends = |end: &[u8], but: &[&[u8]]| word.len() <= 16 && word.ends_with(end) && !but.contains(&word);
            if ends(b"key", &[b"monkey", b"donkey", b"turkey", b"hockey", b"jockey", b"whiskey", b"hotkey", b"pubkey", b"publickey", b"foreignkey", b"primarykey", b"sortkey", b"cachekey", b"nokey", b"errorkey", b"mapkey"]) {
                Says::Key
            } else if ends(b"pass", &[b"bypass", b"compass", b"overpass", b"underpass", b"surpass", b"trespass", b"encompass", b"singlepass", b"multipass", b"renderpass"]) {
                Says::Password
            } else if word.len() > 5 && ends(b"auth", &[]) {
                Says::Auth
            } else {
                Says::Nothing
            }
        }
    }
}

/// Whether a word of this kind names a credential.
pub(super) fn is_credential(what: Says) -> bool {
    matches!(
        what,
        Says::Password | Says::Secret | Says::Token | Says::ApiKey | Says::Key | Says::Auth | Says::Credential
    )
}

/// Words that stand where a password would (placeholders, test values, defaults) by first letter.
#[rustfmt::skip]
pub(super) static DUMMY: [&[&str]; 26] = [
    &["abc", "access", "admin", "alice", "another", "anything", "api", "apikey", "auth"],
    &["bad", "bar", "basic", "baz", "bearer", "blank", "bob"],
    &["change", "changeme", "client", "confirm", "consumer", "correct", "credential", "credentials"],
    &["data", "def", "default", "demo", "dev", "doe", "dummy"],
    &["empty", "encrypted", "enter", "example", "expired"],
    &["fake", "false", "field", "fixture", "foo", "foobar"],
    &["good", "guest"],
    &["hash", "hashed", "hello", "here"],
    &["incorrect", "insert", "invalid", "ipsum"],
    &["jane", "john"],
    &["key"],
    &["letmein", "local", "login", "long", "lorem"],
    &["master", "mine", "missing", "mock", "my", "mypass"],
    &["name", "new", "none", "not", "nothing", "notreal", "null"],
    &["old", "optional", "other"],
    &["pass", "passwd", "password", "person", "private", "prod", "public"],
    &["qux", "qwerty"],
    &["random", "refresh", "replace", "required", "root"],
    &["safe", "sample", "secret", "secure", "session", "simple", "some", "something", "string", "stub", "super"],
    &["temp", "test", "tester", "testing", "text", "that", "the", "this", "tmp", "todo", "token", "true"],
    &["undefined", "user", "username"],
    &["valid", "value", "vault", "very"],
    &["whatever", "work", "world", "wrong"],
    &["xyz"],
    &["your"],
    &[],
];
