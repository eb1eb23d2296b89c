//! One order to an authority, from the account to the certificate (RFC 8555, section 7).

use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use parking_lot::Mutex;
use rustls::ClientConfig;

use crate::acme::{Acme, AcmeConfig};
use crate::acme_http::Https;
use crate::acme_store::{Kept, Store};
use crate::certificate::Certificate;
use crate::challenges::{Placed, Proof};
use crate::error::EdgeError;
use crate::trust;

/// How an order that the authority works on is looked at.
const LOOKS: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(90));
/// How soon, and how late, an authority is asked again when certificates are to be renewed.
const SOONEST: Duration = Duration::from_mins(10);
const LATEST: Duration = Duration::from_hours(24);
/// The problem of a request by an account that the authority does not know (section 6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
/// The same for a number that the authority took for used: the request is made again with another (RFC 8555, section 6.5).
/// The crate does that too, but gives up soon.
const BAD_NONCE: &str = "urn:ietf:params:acme:error:badNonce";
const NONCE_TRIES: usize = 4;

/// What is needed to order certificates.
pub(crate) struct Orders {
    directory: String,
    contact: Vec<String>,
    client: ClientConfig,
    account: tokio::sync::Mutex<Option<Account>>,
    /// What was said of certificates: each by its end, with when it is to be renewed, and until when that holds.
    said: Mutex<Vec<Said>>,
}

struct Said {
    serial: Vec<u8>,
    wanted: Option<SystemTime>,
    until: SystemTime,
}

impl Orders {
    pub(crate) fn new(config: &AcmeConfig) -> Result<Self, EdgeError> {
        if !config.directory.starts_with("https://") {
            return Err(EdgeError::Config(format!(
                "{} is no directory of an authority: give a URL with https",
                config.directory
            )));
        }
        Ok(Self {
            directory: config.directory.clone(),
            contact: config.contact.clone(),
            client: trust::client(trust::roots(config.root.as_deref())?)?,
            account: tokio::sync::Mutex::default(),
            said: Mutex::default(),
        })
    }

    /// The account: the one that is kept, or a new one.
    async fn account(&self, store: &Store) -> Result<Account, Error> {
        let mut held = self.account.lock().await;
        if let Some(account) = &*held {
            return Ok(account.clone());
        }
        let builder = Account::builder_with_http(Box::new(Https::new(self.client.clone())));
        let contact: Vec<&str> = self.contact.iter().map(String::as_str).collect();
        let account = if let Some(Kept {
            contact: before,
            credentials,
        }) = store.account()
        {
            let text = serde_json::to_vec(&credentials)?;
            let account = builder.from_credentials(credentials).await?;
            if before != self.contact {
                account.update_contacts(&contact).await?;
                self.keep(store, serde_json::from_slice(&text)?)?;
            }
            account
        } else {
            let new = NewAccount {
                contact: &contact,
                // It is not come to this unless the settings say so.
                terms_of_service_agreed: true,
                only_return_existing: false,
            };
            let (account, credentials) = builder.create(&new, self.directory.clone(), None).await?;
            self.keep(store, credentials)?;
            account
        };
        *held = Some(account.clone());
        Ok(account)
    }

    fn keep(&self, store: &Store, credentials: instant_acme::AccountCredentials) -> Result<(), Error> {
        let kept = Kept {
            contact: self.contact.clone(),
            credentials,
        };
        store.keep_account(&kept).map_err(|error| Error::Other(error.into()))
    }

    /// When the authority wants a certificate to be renewed (RFC 9773), where it says so: a time in the window it names,
    /// which is another for each certificate.
    pub(crate) async fn wanted(&self, store: &Store, held: &Certificate) -> Option<SystemTime> {
        let now = SystemTime::now();
        let serial = held.der().to_vec();
        if let Some(said) = self.said.lock().iter().find(|one| one.serial == serial)
            && said.until > now
        {
            return said.wanted;
        }
        // Without an account nothing was fetched from there.
        store.account()?;
        let (wanted, wait) = self.ask_wanted(store, held).await.unwrap_or((None, LATEST));
        let until = now + wait.clamp(SOONEST, LATEST);
        let mut said = self.said.lock();
        said.retain(|one| one.until > now && one.serial != serial);
        said.push(Said { serial, wanted, until });
        wanted
    }

    async fn ask_wanted(&self, store: &Store, held: &Certificate) -> Option<(Option<SystemTime>, Duration)> {
        let account = self.account(store).await.ok()?;
        let id = CertificateIdentifier::try_from(held.der()).ok()?;
        let (info, wait) = account.renewal_info(&id).await.ok()?;
        let window = info.suggested_window;
        let (start, end) = (SystemTime::from(window.start), SystemTime::from(window.end));
        let width = end.duration_since(start).unwrap_or_default();
        Some((Some(start + width.mul_f64(held.lot())), wait))
    }

    /// Fetches a certificate for a host. Returns its key and its chain in PEM, or why there is none.
    pub(crate) async fn fetch(
        &self,
        acme: &Acme,
        host: &str,
        replaced: Option<&Certificate>,
    ) -> Result<(String, String), String> {
        let mut fetched = self.order(acme, host, replaced).await;
        for _ in 0..NONCE_TRIES {
            if !matches!(&fetched, Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(BAD_NONCE)) {
                break;
            }
            fetched = self.order(acme, host, replaced).await;
        }
        if let Err(Error::Api(problem)) = &fetched
            && problem.r#type.as_deref() == Some(NO_ACCOUNT)
        {
            acme.store.forget_account();
            *self.account.lock().await = None;
        }
        fetched.map_err(|error| error.to_string())
    }

    async fn order(&self, acme: &Acme, host: &str, replaced: Option<&Certificate>) -> Result<(String, String), Error> {
        let account = self.account(&acme.store).await?;
        let names = [Identifier::Dns(host.to_owned())];
        let order = NewOrder::new(&names);
        let replaced = replaced.and_then(|one| CertificateIdentifier::try_from(one.der()).ok());
        let mut order = match replaced {
            Some(id) => match account.new_order(&order.replaces(id)).await {
                // This authority knows nothing of replacing.
                Err(Error::Unsupported(_)) => account.new_order(&NewOrder::new(&names)).await?,
                other => other?,
            },
            None => account.new_order(&order).await?,
        };
        // What is answered is answered until the authority has looked.
        let placed = prove(acme, host, &mut order).await?;
        let status = order.poll_ready(&LOOKS).await;
        drop(placed);
        if status? != OrderStatus::Ready {
            return Err(why(&mut order).await);
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&LOOKS).await?;
        Ok((key, chain))
    }
}

/// Answers what the authority asks of an order, and tells it so.
async fn prove(acme: &Acme, host: &str, order: &mut Order) -> Result<Vec<Placed>, Error> {
    let mut placed = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(one) = authorizations.next().await {
        let mut one = one?;
        match one.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            other => {
                return Err(Error::Other(
                    format!("the authorization for {host} is {other:?}").into(),
                ));
            }
        }
        let (kind, name) = match acme.config.proof {
            Proof::Http => (ChallengeType::Http01, "http-01"),
            Proof::TlsAlpn => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        };
        let mut challenge = one
            .challenge(kind)
            .ok_or_else(|| Error::Other(format!("the authority takes no proof by {name}: set another").into()))?;
        let answer = challenge.key_authorization();
        placed.push(match acme.config.proof {
            Proof::Http => acme.challenges.place_token(&challenge.token, answer.as_str()),
            Proof::TlsAlpn => {
                let made = acme.challenges.place_certificate(host, answer.digest().as_ref());
                made.map_err(|error| Error::Other(error.into()))?
            }
        });
        challenge.set_ready().await?;
    }
    Ok(placed)
}

/// Why an order cannot be fulfilled, as the authority says it with the proof it did not get.
async fn why(order: &mut Order) -> Error {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut one)) = authorizations.next().await {
        if let Ok(state) = one.refresh().await
            && let Some(problem) = state.challenges.iter().find_map(|one| one.error.clone())
        {
            return Error::Api(problem);
        }
    }
    let problem = order.state().error.clone();
    problem.map_or(Error::Str("the order was refused"), Error::Api)
}
