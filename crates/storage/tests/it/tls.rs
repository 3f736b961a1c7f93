//! Encrypted connections to a server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use keygate_storage::{Storage, StorageError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::house::server;
use crate::postgres::PostgresServer;

const SETTINGS: &[&str] =
    &["ssl = on", "ssl_cert_file = '$FOLDER/server.pem'", "ssl_key_file = '$FOLDER/server.key'"];

#[tokio::test]
async fn sslmode_says_how_sure_of_the_server_one_must_be() {
    let (key, name) = (KeyPair::generate().unwrap(), vec!["localhost".to_owned()]);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let certificate = CertificateParams::new(name).unwrap().signed_by(&key, &authority).unwrap();
    let own = PostgresServer::start_with(SETTINGS, |folder| {
        fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
        fs::set_permissions(folder.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(folder.join("authority.pem"), authority.pem()).unwrap();
    });
    let url = own.create_database().replace("127.0.0.1", "localhost");
    let trusted = own.path("authority.pem").display().to_string();
    for (parameters, opens) in [
        ("sslmode=require".to_owned(), true),
        ("sslmode=verify-full".to_owned(), false),
        (format!("sslmode=verify-full&sslrootcert={trusted}"), true),
        ("sslmode=disable".to_owned(), true),
    ] {
        match Storage::open(&server(&format!("{url}?{parameters}"))).await {
            Ok(storage) => {
                assert!(opens, "{parameters} trusts anybody");
                storage.close().await;
            }
            Err(error) => {
                assert!(!opens, "{parameters}: {error:?}");
                assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
            }
        }
    }
}
