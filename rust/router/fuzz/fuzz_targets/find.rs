//! Takes any bytes as a compiled table, and looks a path up in it.
#![no_main]

use hyperweb_router::{Params, Router};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (path, table) = input;
    if let Ok(router) = Router::from_bytes(table.to_vec()) {
        let mut params = Params::new();
        let _ = router.find(path, &mut params);
    }
});
