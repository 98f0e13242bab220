package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// echo is this service, described by hand, because it needs no messages of its own:
//
//	package bluegreen.example;
//	service Echo {
//	  rpc Say(google.protobuf.StringValue) returns (google.protobuf.StringValue);
//	  rpc Talk(stream google.protobuf.StringValue) returns (stream google.protobuf.StringValue);
//	}
//
// Every answer is the JSON text of a reply, and the header x-served-by has the color.
var echo = grpc.ServiceDesc{
	ServiceName: "bluegreen.example.Echo",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: say}},
	Streams:     []grpc.StreamDesc{{StreamName: "Talk", Handler: talk, ServerStreams: true, ClientStreams: true}},
}

type rpcServer struct{ *grpc.Server }

func (a *app) newRPCServer() server {
	s := grpc.NewServer(grpc.StreamInterceptor(a.endWatches))
	s.RegisterService(&echo, a)
	grpc_health_v1.RegisterHealthServer(s, a.health)
	return rpcServer{s}
}

// Shutdown sends GOAWAY, so that clients open a new connection for their next call, and waits for the calls in flight.
func (s rpcServer) Shutdown(ctx context.Context) error {
	stopped := make(chan struct{})
	go func() {
		s.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		s.Stop()
		return ctx.Err()
	}
}

func say(service any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	a, message := service.(*app), new(wrapperspb.StringValue)
	if err := decode(message); err != nil {
		return nil, err
	}
	if err := grpc.SetHeader(ctx, a.servedBy()); err != nil {
		return nil, err
	}
	return a.rpcReply(message), nil
}

// talk answers every message until the client ends the stream, or this server does with status OK.
//
// A message without an answer was not processed, so the client sends it again on its next stream.
func talk(service any, stream grpc.ServerStream) error {
	a := service.(*app)
	if err := stream.SendHeader(a.servedBy()); err != nil {
		return err
	}
	messages, failed := make(chan *wrapperspb.StringValue), make(chan error, 1)
	go func() {
		for {
			message := new(wrapperspb.StringValue)
			if err := stream.RecvMsg(message); err != nil {
				failed <- err
				return
			}
			select {
			case messages <- message:
			case <-stream.Context().Done():
				return
			}
		}
	}()
	for {
		select {
		case message := <-messages:
			if err := stream.SendMsg(a.rpcReply(message)); err != nil {
				return err
			}
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-a.closing.Done():
			return nil
		}
	}
}

func (a *app) servedBy() metadata.MD {
	return metadata.Pairs(servedByHeader, a.color)
}

func (a *app) rpcReply(message *wrapperspb.StringValue) *wrapperspb.StringValue {
	text, _ := json.Marshal(a.reply(message.GetValue())) // texts only: cannot fail
	return wrapperspb.String(string(text))
}

// endWatches ends the streams of grpc.health.v1.Health/Watch when the server shuts down: they never end by themselves.
func (a *app) endWatches(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if info.FullMethod != grpc_health_v1.Health_Watch_FullMethodName {
		return next(service, stream)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	stop := context.AfterFunc(a.closing, cancel)
	defer stop()
	return next(service, watch{ServerStream: stream, ctx: ctx})
}

type watch struct {
	grpc.ServerStream
	ctx context.Context
}

func (w watch) Context() context.Context { return w.ctx }
