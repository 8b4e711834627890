//! A table of keys and values that spreads by gossip: 0xc4 {"entries":[..]} is what a node knows, and is answered with
//! 0xc5 {"entries":[..]}, what the other one knows. `atlas net kv set|get|list` works on the node's own copy.
mod atlas;
mod msgpack;
mod table;

use atlas::*;
use std::cell::RefCell;
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::ptr::{null, null_mut};
use std::rc::Rc;
use table::Table;

const GOSSIP: u8 = 0xc4;
const KNOWN: u8 = 0xc5;
const PATIENCE_MS: u32 = 5_000;

struct Gossip {
    host: *const atlas_host,
    messages: *const atlas_ext_messages,
    peers: *const atlas_ext_peers,
    timers: *const atlas_ext_timers,
    metrics: *const atlas_ext_metrics,
    cli: *const atlas_ext_cli,
    merged: atlas_metric,
    interval_ms: u64,
    table: Table,
}

/// `kv set` ends when every peer has been told, or does not answer.
struct Telling {
    role: *mut Gossip,
    call: atlas_call,
    waits: usize,
    told: u64,
    key: String,
}

impl Gossip {
    unsafe fn new(host: *const atlas_host) -> Result<Gossip, atlas_status> {
        let mut role = Gossip {
            host,
            messages: table(host, ATLAS_EXT_MESSAGES),
            peers: table(host, ATLAS_EXT_PEERS),
            timers: table(host, ATLAS_EXT_TIMERS),
            metrics: table(host, ATLAS_EXT_METRICS),
            cli: table(host, ATLAS_EXT_CLI),
            merged: 0,
            interval_ms: 0,
            table: Table::default(),
        };
        let config: *const atlas_ext_config = table(host, ATLAS_EXT_CONFIG);
        let (key, doc, mut most) = (c("max_keys\0"), c("Keys that are kept.\0"), 0i64);
        ok(atlas_call!(config, atlas_ext_config, integer, host, key, 1000, 1, 3000, doc, &mut most))?;
        role.table.most = most as usize;
        let (key, doc) = (c("interval\0"), c("Time between two rounds of gossip.\0"));
        let out = &mut role.interval_ms;
        ok(atlas_call!(config, atlas_ext_config, millis, host, key, 30_000, 100, 3_600_000, doc, out))?;
        let (name, help) = (c("merged\0"), c("Values that came from other nodes.\0"));
        let out = &mut role.merged;
        ok(atlas_call!(role.metrics, atlas_ext_metrics, define, host, name, ATLAS_METRIC_COUNTER, help, out))?;
        let handler = Some(on_gossip as atlas_message_fn);
        ok(atlas_call!(role.messages, atlas_ext_messages, handle, host, GOSSIP, ATLAS_HANDLE_ANSWERS, handler))?;
        role.claim_commands()?;
        Ok(role)
    }

    unsafe fn claim_commands(&self) -> Result<(), atlas_status> {
        let arg = |name, kind, help| atlas_cli_arg {
            struct_size: size_of::<atlas_cli_arg>() as u32,
            name: c(name),
            kind,
            required: 1,
            help: c(help),
        };
        let key = arg("key\0", ATLAS_ARG_TEXT, "1 to 64 bytes\0");
        let value = arg("value\0", ATLAS_ARG_REST, "at most 1024 bytes\0");
        let (none, one, two) = ([], [arg("key\0", ATLAS_ARG_TEXT, "1 to 64 bytes\0")], [key, value]);
        let commands: [(&'static str, &'static str, &[atlas_cli_arg], atlas_run_fn); 3] = [
            ("kv set\0", "Set a key here and at every peer.\0", &two, on_set),
            ("kv get\0", "Show a key as this node knows it.\0", &one, on_get),
            ("kv list\0", "List what this node knows.\0", &none, on_list),
        ];
        for (path, summary, args, run) in commands {
            let command = atlas_cli_command {
                struct_size: size_of::<atlas_cli_command>() as u32,
                path: c(path),
                where_: ATLAS_CLI_DAEMON,
                summary: c(summary),
                args: args.as_ptr(),
                arg_count: args.len(),
                display: null(),
            };
            ok(atlas_call!(self.cli, atlas_ext_cli, command, self.host, &command, Some(run), None))?;
        }
        Ok(())
    }

    unsafe fn take(&mut self, payload: &[u8]) -> bool {
        let taken = self.table.merge_encoded(payload);
        if let (Some(count), Some(add)) = (taken, (*self.metrics).add) {
            add(self.host, self.merged, count as i64);
        }
        taken.is_some()
    }

    unsafe fn answer(&mut self, message: &atlas_message) -> atlas_status {
        if !self.take(message.body.as_slice()) {
            return ATLAS_E_ARG; // the host answers Error 2003
        }
        let known = self.table.encoded();
        let to = message.reply_to;
        atlas_call!(self.messages, atlas_ext_messages, reply, self.host, to, KNOWN, bytes(&known))
    }

    /// Exchanges with one peer; `telling` is told when that is over. False when nothing was begun.
    unsafe fn exchange(&mut self, peer: atlas_peer, telling: &Rc<RefCell<Telling>>) -> bool {
        let known = self.table.encoded();
        let arg = Box::into_raw(Box::new(telling.clone())) as *mut c_void;
        let done = Some(on_answer as atlas_answer_fn);
        let (body, none) = (bytes(&known), null_mut());
        let ask = (*self.messages).request.unwrap_unchecked();
        if ask(self.host, peer, GOSSIP, body, PATIENCE_MS, done, arg, none) >= 0 {
            return true;
        }
        drop(Box::from_raw(arg as *mut Rc<RefCell<Telling>>));
        false
    }

    unsafe fn live_peers(&self) -> Vec<atlas_peer> {
        let mut all: Vec<atlas_peer> = Vec::new();
        let out = &mut all as *mut Vec<atlas_peer> as *mut c_void;
        atlas_call!(self.peers, atlas_ext_peers, list, self.host, ATLAS_PEERS_LIVE, out, Some(each_peer));
        all
    }

    /// With every peer; `call` is 0 where no person waits.
    unsafe fn exchange_with_all(&mut self, call: atlas_call, key: &str) {
        let telling = Telling { role: self, call, waits: 1, told: 0, key: key.to_string() };
        let telling = Rc::new(RefCell::new(telling));
        for peer in self.live_peers() {
            telling.borrow_mut().waits += 1;
            if !self.exchange(peer, &telling) {
                telling.borrow_mut().waits -= 1;
            }
        }
        self.one_less(&telling, false);
    }

    unsafe fn one_less(&mut self, telling: &Rc<RefCell<Telling>>, told: bool) {
        let mut telling = telling.borrow_mut();
        telling.waits -= 1;
        telling.told += u64::from(told);
        if telling.waits == 0 && telling.call != 0 {
            let json = format!("{{\"key\":{},\"told\":{}}}", quoted(&telling.key), telling.told);
            self.show(telling.call, ATLAS_EMIT_RESULT, &json);
            self.finish(telling.call, ATLAS_OK, "");
        }
    }

    unsafe fn show(&self, call: atlas_call, kind: u32, json: &str) {
        atlas_call!(self.cli, atlas_ext_cli, emit, self.host, call, kind, text(json));
    }
    // GONE when the person has left.
    unsafe fn finish(&self, call: atlas_call, status: atlas_status, why: &str) {
        atlas_call!(self.cli, atlas_ext_cli, finish, self.host, call, status, text(why));
    }

    unsafe fn own_id(&self) -> String {
        let mut id = String::new();
        let out = &mut id as *mut String as *mut c_void;
        atlas_call!(self.peers, atlas_ext_peers, self_, self.host, out, Some(take_node_id));
        id
    }

    unsafe fn set(&mut self, run: &atlas_cli_run) -> atlas_status {
        let (key, value) = (argument(run, "key"), argument(run, "value"));
        if !self.table.set(&key, &value, &self.own_id()) {
            self.finish(run.call, ATLAS_E_ARG, "the key or the value is too long, or there are max_keys already");
            return ATLAS_OK;
        }
        self.exchange_with_all(run.call, &key);
        ATLAS_OK
    }

    unsafe fn get(&mut self, run: &atlas_cli_run) -> atlas_status {
        let key = argument(run, "key");
        match self.table.entries.get(&key) {
            Some(entry) => {
                let json = format!("{{\"key\":{},\"value\":{}}}", quoted(&key), quoted(&entry.value));
                self.show(run.call, ATLAS_EMIT_RESULT, &json);
                self.finish(run.call, ATLAS_OK, "");
            }
            None => self.finish(run.call, ATLAS_E_GONE, "nobody has told this node of that key"),
        }
        ATLAS_OK
    }

    unsafe fn list(&mut self, run: &atlas_cli_run) -> atlas_status {
        for (key, entry) in &self.table.entries {
            let (key, value) = (quoted(key), quoted(&entry.value));
            self.show(run.call, ATLAS_EMIT_ROW, &format!("{{\"key\":{},\"value\":{}}}", key, value));
        }
        self.finish(run.call, ATLAS_OK, "");
        ATLAS_OK
    }
}

fn c(text: &'static str) -> *const c_char {
    text.as_ptr() as *const c_char
}

fn ok(status: atlas_status) -> Result<(), atlas_status> {
    if status < 0 { Err(status) } else { Ok(()) }
}

unsafe fn argument(run: &atlas_cli_run, name: &str) -> String {
    for i in 0..run.count {
        if (*run.names.add(i)).as_str() == name {
            return (*run.values.add(i)).as_str().to_string();
        }
    }
    String::new()
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\0'..='\x1f' => out += &format!("\\u{:04x}", letter as u32),
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}

// What the host calls. Its callbacks never overlap, so each has the role to itself.

unsafe fn role<'a>(this: *mut c_void) -> &'a mut Gossip {
    &mut *(this as *mut Gossip)
}

unsafe extern "C" fn init(host: *const atlas_host, out: *mut *mut c_void) -> atlas_status {
    guarded(|| match Gossip::new(host) {
        Ok(role) => {
            *out = Box::into_raw(Box::new(role)) as *mut c_void;
            ATLAS_OK
        }
        Err(status) => status,
    })
}

unsafe extern "C" fn start(this: *mut c_void) -> atlas_status {
    guarded(|| {
        let (role, ms) = (role(this), role(this).interval_ms);
        atlas_call!(role.timers, atlas_ext_timers, start, role.host, ms, ms, Some(on_round), this, null_mut())
    })
}

unsafe extern "C" fn stop(this: *mut c_void) {
    guarded(|| {
        drop(Box::from_raw(this as *mut Gossip));
        ATLAS_OK
    });
}

unsafe extern "C" fn on_round(this: *mut c_void) {
    guarded(|| {
        role(this).exchange_with_all(0, "");
        ATLAS_OK
    });
}

/// One of the two begins: whoever dialled.
unsafe extern "C" fn on_peer(this: *mut c_void, event: *const atlas_peer_event) {
    guarded(|| {
        let event = &*event;
        if event.what == ATLAS_PEER_UP && event.dialled != 0 {
            let telling = Telling { role: this as *mut Gossip, call: 0, waits: 1, told: 0, key: String::new() };
            role(this).exchange(event.peer, &Rc::new(RefCell::new(telling)));
        }
        ATLAS_OK
    });
}

unsafe extern "C" fn on_gossip(this: *mut c_void, message: *const atlas_message) -> atlas_status {
    guarded(|| role(this).answer(&*message))
}

/// Runs exactly once for each request that was begun, at the latest before stop().
unsafe extern "C" fn on_answer(arg: *mut c_void, answer: *const atlas_answer) {
    guarded(|| {
        let telling = Box::from_raw(arg as *mut Rc<RefCell<Telling>>);
        let role = telling.borrow().role;
        let role = &mut *role;
        let answer = &*answer;
        let told = answer.status >= 0 && answer.error_code == 0 && answer.type_ == KNOWN;
        let told = told && role.take(answer.body.as_slice());
        role.one_less(&telling, told);
        ATLAS_OK
    });
}

unsafe extern "C" fn on_set(this: *mut c_void, run: *const atlas_cli_run) -> atlas_status {
    guarded(|| role(this).set(&*run))
}

unsafe extern "C" fn on_get(this: *mut c_void, run: *const atlas_cli_run) -> atlas_status {
    guarded(|| role(this).get(&*run))
}

unsafe extern "C" fn on_list(this: *mut c_void, run: *const atlas_cli_run) -> atlas_status {
    guarded(|| role(this).list(&*run))
}

unsafe extern "C" fn each_peer(arg: *mut c_void, info: *const atlas_peer_info) -> atlas_status {
    guarded(|| {
        (*(arg as *mut Vec<atlas_peer>)).push((*info).peer);
        ATLAS_OK
    })
}

unsafe extern "C" fn take_node_id(arg: *mut c_void, info: *const atlas_peer_info) {
    guarded(|| {
        *(arg as *mut String) = (*info).node_id.as_str().to_string();
        ATLAS_OK
    });
}

struct Needs([*const c_char; 7]);
// Constant data.
unsafe impl Sync for Needs {}
static NEEDS: Needs = Needs([
    ATLAS_EXT_CLI.as_ptr() as *const c_char,
    ATLAS_EXT_CONFIG.as_ptr() as *const c_char,
    ATLAS_EXT_MESSAGES.as_ptr() as *const c_char,
    ATLAS_EXT_METRICS.as_ptr() as *const c_char,
    ATLAS_EXT_PEERS.as_ptr() as *const c_char,
    ATLAS_EXT_TIMERS.as_ptr() as *const c_char,
    null(),
]);

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static atlas_plugin_v1: atlas_plugin = atlas_plugin {
    struct_size: size_of::<atlas_plugin>() as u32,
    abi_major: ATLAS_ABI_MAJOR,
    abi_minor_min: 0,
    id: "org.example.gossip\0".as_ptr() as *const c_char,
    version: "1.0.0\0".as_ptr() as *const c_char,
    summary: "Keys and values that spread from node to node.\0".as_ptr() as *const c_char,
    needs: NEEDS.0.as_ptr(),
    init: Some(init),
    start: Some(start),
    drain: None,
    stop: Some(stop),
    peer_event: Some(on_peer),
};
