//! Single flight for Python's threads and tasks: who waits is called back, and wakes what waits in its own way.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hyperweb_cache::{Coalescer, FlightLimits, Joined, LeaderGuard, Subscribed, Waiting as Waits};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};

use super::key::with_key;
use super::memory::{millis, now};

/// How often the limits of those who wait are looked at.
const BEAT: Duration = Duration::from_millis(20);

type Object = Arc<Py<PyAny>>;
type Flown = Coalescer<Object, Object>;
type Guard = LeaderGuard<Object, Object>;

/// Flights by key.
#[pyclass(frozen, module = "hyperweb._core")]
struct Flights {
    flights: Arc<Flown>,
    watched: Mutex<bool>,
}

/// The right and the duty to make the value of a key. Dropped, it goes to the next who waits.
#[pyclass(frozen, module = "hyperweb._core")]
struct Lead(Mutex<Option<Guard>>);

/// A place among those who wait.
#[pyclass(frozen, module = "hyperweb._core")]
struct Waiting(Mutex<Option<Waits<Object, Object>>>);

type Answer = (&'static str, Py<PyAny>);

fn answer(py: Python<'_>, joined: Joined<Object, Object>) -> PyResult<Answer> {
    Ok(match joined {
        Joined::Leader(guard) => ("lead", Py::new(py, Lead(Mutex::new(Some(guard))))?.into_any()),
        Joined::Value(value) => ("value", value.clone_ref(py)),
        Joined::Failed(error) => ("failed", error.clone_ref(py)),
        Joined::Uncacheable => ("uncacheable", py.None()),
        Joined::TimedOut => ("timed-out", py.None()),
    })
}

#[pymethods]
impl Flights {
    #[new]
    fn new() -> Self {
        Self {
            flights: Arc::default(),
            watched: Mutex::new(false),
        }
    }

    /// Joins the flight of a key. What is known at once is returned; else a place among those who wait, and `callback`
    /// is called with the same two, from any thread.
    #[pyo3(signature = (key, callback, *, age, wait, retries))]
    fn join(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        callback: Py<PyAny>,
        age: Option<f64>,
        wait: Option<f64>,
        retries: u32,
    ) -> PyResult<Answer> {
        let time = |seconds: Option<f64>| -> PyResult<Option<Duration>> {
            seconds
                .map(|_| millis(seconds, 0).map(Duration::from_millis))
                .transpose()
        };
        let limits = FlightLimits {
            age: time(age)?,
            wait: time(wait)?,
            retries,
        };
        if limits.age.is_some() || limits.wait.is_some() {
            self.watch()?;
        }
        let call = move |joined| {
            Python::attach(|py| {
                let called = answer(py, joined).and_then(|found| callback.call1(py, found));
                if let Err(error) = called {
                    // There is nobody to tell but the one who watches the program.
                    error.write_unraisable(py, None);
                }
            });
        };
        let joined = with_key(key, |bytes| {
            if self.flights.is_hit_for_miss(bytes, now()) {
                return Subscribed::Now(Joined::Uncacheable);
            }
            self.flights.join_callback_within(bytes, limits, call)
        })?;
        match joined {
            Subscribed::Now(joined) => answer(py, joined),
            Subscribed::Later(waits) => Ok(("waiting", Py::new(py, Waiting(Mutex::new(Some(waits))))?.into_any())),
        }
    }

    /// Leads where nobody does, and else returns none.
    fn try_lead(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<Lead>> {
        let guard = with_key(key, |bytes| self.flights.try_lead(bytes))?;
        Ok(guard.map(|guard| Lead(Mutex::new(Some(guard)))))
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = self.flights.outcomes();
        let table = PyDict::new(py);
        let figures = [
            ("flights", self.flights.flights() as u64),
            ("waiters", self.flights.waiters() as u64),
            ("led", found.led),
            ("shared", found.shared),
            ("handed_over", found.handed_over),
            ("taken_over", found.taken_over),
            ("failed", found.failed),
            ("uncacheable", found.uncacheable),
            ("timed_out", found.timed_out),
            ("cancelled", found.cancelled),
            ("abandoned", found.abandoned),
            ("late", found.late),
        ];
        for (name, figure) in figures {
            table.set_item(name, figure)?;
        }
        Ok(table)
    }
}

impl Flights {
    /// Starts the thread that ends what takes too long, once.
    fn watch(&self) -> PyResult<()> {
        let mut watched = self.watched.lock();
        if !*watched {
            let flights: Weak<Flown> = Arc::downgrade(&self.flights);
            let work = move || {
                while let Some(flights) = flights.upgrade() {
                    flights.sweep(Instant::now());
                    drop(flights);
                    std::thread::sleep(BEAT);
                }
            };
            std::thread::Builder::new()
                .name("cache-flights".to_owned())
                .spawn(work)?;
            *watched = true;
        }
        Ok(())
    }
}

#[pymethods]
impl Lead {
    /// Gives the value to all who wait.
    fn complete(&self, value: Py<PyAny>) {
        // Not while the lock is held: whoever is called back may come here.
        let guard = self.0.lock().take();
        if let Some(guard) = guard {
            guard.complete(&Arc::new(value));
        }
    }

    /// Tells all who wait of an error, or lets the next one try.
    fn fail(&self, error: Py<PyAny>) {
        // Not while the lock is held: whoever is called back may come here.
        let guard = self.0.lock().take();
        if let Some(guard) = guard {
            guard.fail(Arc::new(error));
        }
    }

    /// Lets all who wait work for themselves, and all who come within `seconds` too.
    fn uncacheable(&self, seconds: f64) -> PyResult<()> {
        let ttl = millis(Some(seconds), 0)?;
        // Not while the lock is held: whoever is called back may come here.
        let guard = self.0.lock().take();
        if let Some(guard) = guard {
            guard.uncacheable(now(), ttl);
        }
        Ok(())
    }

    /// Gives the lead to the next who waits.
    fn leave(&self) {
        let taken = self.0.lock().take();
        drop(taken);
    }
}

#[pymethods]
impl Waiting {
    /// Leaves the flight.
    fn leave(&self) {
        let taken = self.0.lock().take();
        drop(taken);
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Flights>()?;
    module.add_class::<Lead>()?;
    module.add_class::<Waiting>()
}
