//! The load balancer and the proxy do what tests rely on.

#![cfg(test)]

use std::{net::Ipv4Addr, process, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, timeout},
};
use zot_services::{Fault, Haproxy, HttpProxy, Mood, Processes, Proxy, port, skip::skip, wait};

/// Answers every request with one letter.
async fn server(letter: char) -> (u16, JoinHandle<()>) {
    let port = port::free();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            // Health checks may go away before they are answered.
            let Ok(1..) = stream.read(&mut request).await else { continue };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{letter}");
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (port, serving)
}

async fn get(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn requests_go_round_and_past_a_server_that_is_gone() {
    if let Err(reason) = Haproxy::available() {
        return skip("zot-services::requests_go_round_and_past_a_server_that_is_gone", &reason);
    }
    let ((a, _serving), (b, stopped)) = (server('a').await, server('b').await);
    let balancer = Haproxy::start(&[a, b]).await;
    for letter in ['a', 'b'] {
        wait::until("each server has its turn", async || get(balancer.port()).await.unwrap().ends_with(letter)).await;
    }
    stopped.abort();
    for _ in 0..20 {
        let answer = get(balancer.port()).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn a_proxy_does_what_networks_do() {
    let (target, _serving) = server('x').await;
    let proxy = Proxy::start(target).await;
    let answers = async || get(proxy.port()).await.is_ok_and(|answer| answer.ends_with('x'));
    assert!(answers().await);

    proxy.set(Fault::Hang);
    assert!(timeout(Duration::from_millis(200), get(proxy.port())).await.is_err());
    for fault in [Fault::Reset, Fault::Cut] {
        proxy.set(fault);
        wait::until("the fault shows", async || !answers().await).await;
    }
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.is_err(), "a cut network refuses");
    proxy.heal();
    wait::until("the network is healed", answers).await;

    let latency = Duration::from_millis(50);
    proxy.set(Fault::Latency(latency));
    let begun = Instant::now();
    assert!(answers().await);
    assert!(begun.elapsed() >= 2 * latency, "there and back");
}

#[tokio::test]
async fn a_proxy_for_some_processes_lets_all_others_through() {
    let (target, _serving) = server('x').await;
    let (these, others) = (Processes::default(), Processes::default());
    these.add(process::id);
    let mine = Proxy::start_for(these, target).await;
    let not_mine = Proxy::start_for(others, target).await;
    let answers = async |proxy: &Proxy| get(proxy.port()).await.is_ok_and(|answer| answer.ends_with('x'));
    for fault in [Fault::Cut, Fault::Reset] {
        [&mine, &not_mine].into_iter().for_each(|proxy| proxy.set(fault));
        assert_eq!((answers(&mine).await, answers(&not_mine).await), (false, true), "{fault:?}");
        [&mine, &not_mine].into_iter().for_each(Proxy::heal);
        assert!(answers(&mine).await);
    }
}

#[tokio::test]
async fn a_service_that_is_overloaded_refuses_some_and_lets_others_wait() {
    let (port, _serving) = server('a').await;
    let proxy = HttpProxy::start(port).await;
    assert!(get(proxy.port()).await.unwrap().ends_with("\r\n\r\na"));
    proxy.set(Mood::Refuses(3, 503, "later"));
    let mut refused = 0;
    for _ in 0..6 {
        let answer = get(proxy.port()).await.unwrap();
        refused += usize::from(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\nlater"));
    }
    assert_eq!((refused, proxy.refused()), (2, 2));
    proxy.set(Mood::Slow(Duration::from_millis(200)));
    let begun = Instant::now();
    assert!(get(proxy.port()).await.unwrap().ends_with("\r\n\r\na"));
    assert!(begun.elapsed() >= Duration::from_millis(200));
}
