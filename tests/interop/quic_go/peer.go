// A peer of Atlas on another QUIC stack (quic-go), another TLS (Go's) and another MessagePack: it speaks what a
// published v0.1.0 node speaks, with no optional key, and byte fields as arrays of integers.
//
//	peer dial ADDRESS    registers, discovers, pings, is refused where it must be, and says goodbye
//	peer listen          prints "ready ADDRESS NODE-ID", answers one dialler until it says goodbye
//
// Prints a line for each step; exits with 1 and the reason at the first that goes wrong.
package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"time"

	"github.com/lucas-clemente/quic-go"
	"github.com/vmihailenco/msgpack/v5"
)

const (
	hello, helloAck, verify, verifyAck = 0x01, 0x02, 0x03, 0x04
	message, messageAck                = 0x10, 0x11
	register, discover, peers          = 0x20, 0x21, 0x22
	errorType, disconnect              = 0xe0, 0xff
	ping, pong                         = 0xf0, 0xf1
)

type fields = map[string]interface{}

type identity struct {
	key ed25519.PrivateKey
	tls tls.Certificate
}

func check(err error, what string) {
	if err != nil {
		fmt.Println("FAILED", what+":", err)
		os.Exit(1)
	}
}

func expect(ok bool, what string, got interface{}) {
	if !ok {
		fmt.Println("FAILED", what+": got", got)
		os.Exit(1)
	}
	fmt.Println("ok", what)
}

func newIdentity() identity {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	check(err, "key")
	template := x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: "atlas"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, public, key)
	check(err, "certificate")
	return identity{key, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
}

func (id identity) public() []byte { return id.key.Public().(ed25519.PublicKey) }

func nodeID(public []byte) string {
	sum := sha256.Sum256(public)
	return "atlas_" + hex.EncodeToString(sum[:])
}

func (id identity) config() *tls.Config {
	return &tls.Config{
		Certificates:       []tls.Certificate{id.tls},
		NextProtos:         []string{"atlas/1"},
		InsecureSkipVerify: true, // there is no CA: the key is what counts, see peerKey
		ClientAuth:         tls.RequireAnyClientCert,
		MinVersion:         tls.VersionTLS13,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			_, err := keyOf(raw[0])
			return err
		},
	}
}

func keyOf(der []byte) ([]byte, error) {
	// Go's parser is as strict as that of webpki: what it takes, they take.
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	key, ok := certificate.PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("not an Ed25519 key")
	}
	return key, certificate.CheckSignature(
		certificate.SignatureAlgorithm, certificate.RawTBSCertificate, certificate.Signature)
}

func integers(raw []byte) []int {
	out := make([]int, len(raw))
	for i, b := range raw {
		out[i] = int(b)
	}
	return out
}

func octets(value interface{}) []byte {
	switch list := value.(type) {
	case []byte:
		return list
	case []interface{}:
		var out []byte
		for _, item := range list {
			var n int
			fmt.Sscan(fmt.Sprint(item), &n)
			out = append(out, byte(n))
		}
		return out
	}
	return nil
}

func number(value interface{}) int64 {
	var n int64
	fmt.Sscan(fmt.Sprint(value), &n)
	return n
}

func write(w io.Writer, kind byte, payload fields) {
	body, err := msgpack.Marshal(payload)
	check(err, "encode")
	head := []byte{0xac, 0x01, 0x01, kind, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[4:], uint32(len(body)))
	_, err = w.Write(append(head, body...))
	check(err, "write")
}

func read(r io.Reader) (byte, fields, error) {
	head := make([]byte, 8)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	if !bytes.Equal(head[:3], []byte{0xac, 0x01, 0x01}) {
		return 0, nil, fmt.Errorf("envelope begins with %x", head[:3])
	}
	body := make([]byte, binary.BigEndian.Uint32(head[4:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	var payload fields
	err := msgpack.Unmarshal(body, &payload)
	return head[3], payload, err
}

func request(connection quic.Connection, kind byte, payload fields) (byte, fields) {
	stream, err := connection.OpenStreamSync(context.Background())
	check(err, "open a stream")
	stream.SetDeadline(time.Now().Add(10 * time.Second))
	write(stream, kind, payload)
	check(stream.Close(), "finish the request")
	got, answer, err := read(stream)
	check(err, fmt.Sprintf("answer to 0x%02x", kind))
	if _, err := stream.Read(make([]byte, 1)); err != io.EOF {
		check(fmt.Errorf("no FIN behind the answer: %v", err), "end of the exchange")
	}
	return got, answer
}

func introduction(id identity) fields {
	return fields{"node_id": nodeID(id.public()), "name": "go-peer", "skills": []string{"interop"},
		"public_key": integers(id.public()), "protocol_v": 1}
}

func peerKey(connection quic.Connection) []byte {
	state := connection.ConnectionState().TLS
	key, err := keyOf(state.PeerCertificates[0].Raw)
	check(err, "certificate of the peer")
	return key
}

func shakeHands(id identity, connection quic.Connection) string {
	stream, err := connection.OpenStreamSync(context.Background())
	check(err, "open the handshake stream")
	stream.SetDeadline(time.Now().Add(10 * time.Second))
	greeting := introduction(id)
	greeting["timestamp"] = time.Now().Unix()
	write(stream, hello, greeting)
	kind, ack, err := read(stream)
	check(err, "HelloAck")
	expect(kind == helloAck, "HelloAck", kind)
	key := peerKey(connection)
	expect(bytes.Equal(octets(ack["public_key"]), key), "key of the message is the key of TLS", ack["public_key"])
	_, isList := ack["public_key"].([]interface{})
	expect(isList, "public_key is an array of integers", fmt.Sprintf("%T", ack["public_key"]))
	expect(ack["node_id"] == nodeID(key), "node id", ack["node_id"])
	challenge := octets(ack["challenge"])
	expect(len(challenge) == 32, "challenge", len(challenge))
	write(stream, verify, fields{"signature": integers(ed25519.Sign(id.key, challenge)), "challenge": integers(challenge)})
	check(stream.Close(), "finish the handshake")
	kind, done, err := read(stream)
	check(err, "VerifyAck")
	expect(kind == verifyAck && done["status"] == "ok", "VerifyAck ok", done)
	return ack["node_id"].(string)
}

func dial(address string) {
	id := newIdentity()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	connection, err := quic.DialAddrContext(ctx, address, id.config(), &quic.Config{HandshakeIdleTimeout: 5 * time.Second})
	check(err, "QUIC and TLS")
	expect(connection.ConnectionState().TLS.NegotiatedProtocol == "atlas/1", "ALPN", connection.ConnectionState())
	shakeHands(id, connection)

	kind, answer := request(connection, ping, fields{"ts": 1234})
	expect(kind == pong && number(answer["echo"]) == 1234, "Pong", answer)
	kind, answer = request(connection, register,
		fields{"node_id": nodeID(id.public()), "address": connection.LocalAddr().String(), "timestamp": time.Now().Unix()})
	// The socket of this peer is bound to no address; the node puts in the one that it sees.
	expect(kind == messageAck && answer["status"] == "registered", "registered", answer)
	expect(answer["msg_id"] == nodeID(id.public()), "msg_id of a register is the node id", answer)
	kind, answer = request(connection, discover, fields{})
	list, _ := answer["peers"].([]interface{})
	expect(kind == peers && len(list) == 1, "discovered", answer)
	record, _ := list[0].(map[string]interface{})
	expect(record["node_id"] == nodeID(id.public()), "own record", record)
	kind, answer = request(connection, register, fields{"node_id": "atlas_" + hex.EncodeToString(make([]byte, 32)),
		"address": connection.LocalAddr().String(), "timestamp": time.Now().Unix()})
	expect(kind == errorType && number(answer["code"]) == 2003, "register of another node is refused with 2003", answer)
	kind, answer = request(connection, 0xdf, fields{})
	expect(kind == errorType && number(answer["code"]) == 2003, "type without an owner is refused with 2003", answer)

	// A second Hello inside the session, broken bytes, a large claim: each is one stream's fault, the session goes on.
	stream, err := connection.OpenStreamSync(context.Background())
	check(err, "open a stream")
	stream.Write([]byte{0xac, 0x01, 0x01, ping, 0xff, 0xff, 0xff, 0xff})
	stream.SetDeadline(time.Now().Add(10 * time.Second))
	kind, answer, err = read(stream)
	check(err, "answer to a length over the limit")
	expect(kind == errorType && number(answer["code"]) == 2002, "length over the limit is refused with 2002", answer)
	stream.CancelWrite(0)
	kind, answer = request(connection, ping, fields{"ts": int64(-5)})
	expect(kind == pong && number(answer["echo"]) == -5, "the session goes on", answer)

	stream, err = connection.OpenStreamSync(context.Background())
	check(err, "open a stream")
	write(stream, disconnect, fields{"reason": 0, "note": "done"})
	check(stream.Close(), "finish")
	stream.SetDeadline(time.Now().Add(5 * time.Second))
	io.ReadAll(stream)
	check(connection.CloseWithError(0, "done"), "close")

	refusals(id, address)
}

// What a node must refuse in TLS and in the handshake.
func refusals(id identity, address string) {
	without := id.config()
	without.Certificates = nil
	connection, err := quic.DialAddr(address, without, nil)
	if err == nil {
		_, err = connection.AcceptStream(context.Background()) // TLS 1.3: refused after our side was done
	}
	expect(err != nil, "no certificate is refused", err)
	other := id.config()
	other.NextProtos = []string{"h3"}
	_, err = quic.DialAddr(address, other, nil)
	expect(err != nil, "another ALPN is refused", err)

	connection, err = quic.DialAddr(address, id.config(), nil)
	check(err, "dial")
	stream, err := connection.OpenStreamSync(context.Background())
	check(err, "open")
	greeting := introduction(newIdentity()) // somebody else's key
	greeting["timestamp"] = time.Now().Unix()
	write(stream, hello, greeting)
	var closed *quic.ApplicationError
	kind, answer, err := read(stream)
	// This stack forgets what it has received and not handed on when the close comes, which waits for no reader.
	if !errors.As(err, &closed) {
		check(err, "answer to a Hello with another key")
		expect(kind == errorType && number(answer["code"]) == 1004, "key that is not that of TLS is refused with 1004", answer)
		_, err = connection.AcceptStream(context.Background())
	}
	expect(errors.As(err, &closed) && closed.ErrorCode == 3 && closed.Remote, "then closed with code 3", err)
}

func listen() {
	id := newIdentity()
	listener, err := quic.ListenAddr("127.0.0.1:0", id.config(), nil)
	check(err, "listen")
	fmt.Println("ready", listener.Addr(), nodeID(id.public()))
	for {
		connection, err := listener.Accept(context.Background())
		check(err, "accept")
		if answerAll(id, connection) {
			return
		}
	}
}

// True when the peer sent a message and said goodbye.
func answerAll(id identity, connection quic.Connection) bool {
	stream, err := connection.AcceptStream(context.Background())
	check(err, "handshake stream")
	kind, greeting, err := read(stream)
	check(err, "Hello")
	key := peerKey(connection)
	expect(kind == hello && greeting["node_id"] == nodeID(key), "Hello", greeting)
	expect(bytes.Equal(octets(greeting["public_key"]), key), "key of Hello is the key of TLS", greeting)
	challenge := make([]byte, 32)
	rand.Read(challenge)
	ack := introduction(id)
	ack["challenge"] = integers(challenge)
	write(stream, helloAck, ack)
	kind, proof, err := read(stream)
	check(err, "Verify")
	expect(kind == verify && bytes.Equal(octets(proof["challenge"]), challenge), "Verify", proof)
	expect(ed25519.Verify(key, challenge, octets(proof["signature"])), "signature", nil)
	write(stream, verifyAck, fields{"status": "ok"})
	stream.Close()
	got := false
	for {
		stream, err := connection.AcceptStream(context.Background())
		if err != nil {
			fmt.Println("ok closed:", err)
			return got
		}
		kind, payload, err := read(stream)
		check(err, "request")
		switch kind {
		case ping:
			write(stream, pong, fields{"ts": time.Now().UnixMilli(), "echo": payload["ts"]})
			fmt.Println("ok Ping answered")
		case message:
			expect(payload["from"] == nodeID(key) && payload["to"] == nodeID(id.public()), "Message", payload)
			write(stream, messageAck, fields{"msg_id": payload["id"], "status": "received"})
			got = true
		case disconnect:
			fmt.Println("ok Disconnect", payload)
		default:
			fmt.Printf("ok 0x%02x refused\n", kind)
			write(stream, errorType, fields{"code": 2003, "message": "no role here"})
		}
		stream.Close()
	}
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "dial":
		dial(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "listen":
		listen()
	default:
		fmt.Fprintln(os.Stderr, "usage: peer dial ADDRESS | peer listen")
		os.Exit(2)
	}
}
