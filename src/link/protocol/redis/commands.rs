//! Redis's commands: what they are called, and which of them only read.

use super::Answer;
use crate::link::protocol::{Label, Unreadable};

/// Longer than the name of any command with subcommands.
const NAME_MAX: usize = 16;

/// How many words of a command have to be known, its name included.
pub(super) fn words_to_know(name: &[u8]) -> usize {
    // On the stack: this is asked of every command, mostly of many in a pipeline.
    let mut upper = [0; NAME_MAX];
    let Some(upper) = upper.get_mut(..name.len()) else { return 1 };
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    match std::str::from_utf8(upper) {
        // CLIENT REPLY OFF
        Ok("CLIENT") => 3,
        Ok("HELLO") => 2,
        Ok(name) if has_subcommands(name) => 2,
        _ => 1,
    }
}

/// The label of a command and what its answer is like. `words` are its first ones, `args` is the number of the others.
pub(super) fn describe(words: &[&[u8]], args: usize) -> Result<(Label, Answer), Unreadable> {
    let word = |index: usize| words.get(index).map(|word| folded(word)).unwrap_or_default();
    let mut text = word(0);
    if has_subcommands(&text) && words.len() > 1 {
        text = format!("{text} {}", word(1));
    }
    let answer = match text.as_str() {
        "MONITOR" => return Err(Unreadable("the connection became a monitor")),
        "SYNC" | "PSYNC" => return Err(Unreadable("the connection became a replica's")),
        "CLIENT REPLY" if matches!(word(2).as_str(), "OFF" | "SKIP") => {
            return Err(Unreadable("replies were switched off"));
        }
        "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => Answer::Script,
        "MULTI" => Answer::Multi,
        "EXEC" => Answer::Exec,
        "DISCARD" => Answer::Discard,
        "HELLO" if word(1) == "3" => Answer::Hello(3),
        "HELLO" if word(1) == "2" => Answer::Hello(2),
        "RESET" => Answer::Reset,
        "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" => {
            // Without arguments all are given up, which is confirmed once at least.
            Answer::Subscription(args.max(1))
        }
        _ => Answer::Plain,
    };
    let changes = !only_reads(&text);
    Ok((Label { text, changes }, answer))
}

/// In upper case, and with nothing in it that a terminal would act on.
fn folded(word: &[u8]) -> String {
    match std::str::from_utf8(word) {
        // Nothing to escape, as nearly always: escaping each byte takes longer than all the rest that is done to a command.
        Ok(name) if word.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_|".contains(byte)) => {
            name.to_ascii_uppercase()
        }
        _ => word.to_ascii_uppercase().escape_ascii().to_string(),
    }
}

fn has_subcommands(name: &str) -> bool {
    matches!(
        name,
        "ACL"
            | "CLIENT"
            | "CLUSTER"
            | "COMMAND"
            | "CONFIG"
            | "DEBUG"
            | "FUNCTION"
            | "LATENCY"
            | "MEMORY"
            | "MODULE"
            | "OBJECT"
            | "PUBSUB"
            | "SCRIPT"
            | "SLOWLOG"
            | "XGROUP"
            | "XINFO"
    )
}

/// Whether a command changes nothing but the connection it comes by, if anything. Those flagged as reading in Redis
/// 7.0's own table, and those that only concern the connection. Of a command that is not known anything is believed.
fn only_reads(text: &str) -> bool {
    let (name, subcommand) = text.split_once(' ').unwrap_or((text, ""));
    match name {
        "BITCOUNT"
        | "BITFIELD_RO"
        | "BITPOS"
        | "DBSIZE"
        | "DUMP"
        | "EVALSHA_RO"
        | "EVAL_RO"
        | "EXISTS"
        | "EXPIRETIME"
        | "FCALL_RO"
        | "GEODIST"
        | "GEOHASH"
        | "GEOPOS"
        | "GEORADIUSBYMEMBER_RO"
        | "GEORADIUS_RO"
        | "GEOSEARCH"
        | "GET"
        | "GETBIT"
        | "GETRANGE"
        | "HEXISTS"
        | "HGET"
        | "HGETALL"
        | "HKEYS"
        | "HLEN"
        | "HMGET"
        | "HRANDFIELD"
        | "HSCAN"
        | "HSTRLEN"
        | "HVALS"
        | "KEYS"
        | "LCS"
        | "LINDEX"
        | "LLEN"
        | "LOLWUT"
        | "LPOS"
        | "LRANGE"
        | "MGET"
        | "PEXPIRETIME"
        | "PFCOUNT"
        | "PTTL"
        | "RANDOMKEY"
        | "SCAN"
        | "SCARD"
        | "SDIFF"
        | "SINTER"
        | "SINTERCARD"
        | "SISMEMBER"
        | "SMEMBERS"
        | "SMISMEMBER"
        | "SORT_RO"
        | "SRANDMEMBER"
        | "SSCAN"
        | "STRLEN"
        | "SUBSTR"
        | "SUNION"
        | "TOUCH"
        | "TTL"
        | "TYPE"
        | "XLEN"
        | "XPENDING"
        | "XRANGE"
        | "XREAD"
        | "XREVRANGE"
        | "ZCARD"
        | "ZCOUNT"
        | "ZDIFF"
        | "ZINTER"
        | "ZINTERCARD"
        | "ZLEXCOUNT"
        | "ZMSCORE"
        | "ZRANDMEMBER"
        | "ZRANGE"
        | "ZRANGEBYLEX"
        | "ZRANGEBYSCORE"
        | "ZRANK"
        | "ZREVRANGE"
        | "ZREVRANGEBYLEX"
        | "ZREVRANGEBYSCORE"
        | "ZREVRANK"
        | "ZSCAN"
        | "ZSCORE"
        | "ZUNION" => true,
        "ASKING" | "AUTH" | "DISCARD" | "ECHO" | "HELLO" | "INFO" | "LASTSAVE" | "MULTI" | "PING" | "PSUBSCRIBE"
        | "PUNSUBSCRIBE" | "QUIT" | "READONLY" | "READWRITE" | "RESET" | "ROLE" | "SELECT" | "SSUBSCRIBE"
        | "SUBSCRIBE" | "SUNSUBSCRIBE" | "TIME" | "UNSUBSCRIBE" | "UNWATCH" | "WAIT" | "WATCH" => true,
        "COMMAND" | "MEMORY" | "OBJECT" | "PUBSUB" | "XINFO" => true,
        "CLIENT" => !matches!(subcommand, "KILL" | "PAUSE" | "UNPAUSE" | "UNBLOCK"),
        "CONFIG" | "SLOWLOG" => matches!(subcommand, "GET" | "LEN" | "HELP"),
        // A script that is loaded does nothing yet.
        "SCRIPT" => matches!(subcommand, "EXISTS" | "LOAD" | "HELP"),
        "FUNCTION" => matches!(subcommand, "LIST" | "STATS" | "DUMP" | "HELP"),
        _ => false,
    }
}
