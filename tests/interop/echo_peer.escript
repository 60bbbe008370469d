#!/usr/bin/env escript
%% -*- erlang -*-
%% A peer that speaks the wire by Erlang's own means: gen_tcp with {packet, 4}.
%%
%%   echo_peer.escript client HOST PORT COUNT   sends COUNT messages of mixed sizes, checks every byte of every answer
%%   echo_peer.escript server COUNT             prints its port, sends back what one client sends, COUNT messages
%%   echo_peer.escript lines COUNT              prints COUNT lines of mixed lengths, for a client that reads lines
%%
%% Exits 0 when all went well; says otherwise what did not.

largest() -> 100 * 1024.

%% 0 to 100 KiB: every tenth is empty, most are small, some are large.
payload_bytes(Index) ->
    case Index rem 10 of
        0 -> 0;
        Rest when Rest < 8 -> (Index * 7919) rem 300;
        _ -> (Index * 104729) rem (largest() + 1)
    end.

%% Different bytes at each place, and for each index.
payload(Index, Noise) -> binary:part(Noise, Index rem 1000, payload_bytes(Index)).

noise() -> << <<((Place * 7 + Place div 251) band 255)>> || Place <- lists:seq(1, largest() + 1000) >>.

letters() -> << <<(33 + (Place * 7 + Place div 89) rem 94)>> || Place <- lists:seq(1, largest() + 1000) >>.

main(["client", Host, Port, Count]) -> client(Host, list_to_integer(Port), list_to_integer(Count));
main(["server", Count]) -> server(list_to_integer(Count));
main(["lines", Count]) ->
    Letters = letters(),
    ok = io:setopts(standard_io, [{encoding, latin1}]),
    [ok = file:write(standard_io, [payload(Index, Letters), $\n]) || Index <- lists:seq(1, list_to_integer(Count))];
main(_) -> stop("usage: echo_peer.escript client HOST PORT COUNT | server COUNT | lines COUNT").

client(Host, Port, Count) ->
    {ok, Socket} = gen_tcp:connect(Host, Port, [binary, {packet, 4}, {active, false}, {nodelay, true}]),
    Noise = noise(),
    %% Written and read at the same time, as the answers come while questions are still on their way.
    spawn_link(fun() -> [ok = gen_tcp:send(Socket, payload(Index, Noise)) || Index <- lists:seq(1, Count)] end),
    [check(Index, payload(Index, Noise), gen_tcp:recv(Socket, 0, 60000)) || Index <- lists:seq(1, Count)],
    ok = gen_tcp:shutdown(Socket, write),
    {error, closed} = gen_tcp:recv(Socket, 0, 60000),
    io:format("~b answers, every byte as sent~n", [Count]).

check(_, Expected, {ok, Expected}) -> ok;
check(Index, Expected, {ok, Other}) ->
    stop(io_lib:format("answer ~b: ~b bytes that differ from the ~b sent", [Index, byte_size(Other), byte_size(Expected)]));
check(Index, _, {error, Reason}) -> stop(io_lib:format("answer ~b: ~p", [Index, Reason])).

server(Count) ->
    {ok, Listener} = gen_tcp:listen(0, [binary, {packet, 4}, {active, false}, {nodelay, true}, {ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Listener),
    io:format("~b~n", [Port]),
    {ok, Socket} = gen_tcp:accept(Listener, 60000),
    Answered = answer(Socket, 0),
    case Answered of
        Count -> ok;
        _ -> stop(io_lib:format("~b messages came, not ~b", [Answered, Count]))
    end.

answer(Socket, Answered) ->
    case gen_tcp:recv(Socket, 0, 60000) of
        {ok, Message} ->
            ok = gen_tcp:send(Socket, Message),
            answer(Socket, Answered + 1);
        {error, closed} -> Answered;
        {error, Reason} -> stop(io_lib:format("after ~b messages: ~p", [Answered, Reason]))
    end.

stop(Why) ->
    io:format(standard_error, "~s~n", [Why]),
    %% Without waiting for what the other side does not take.
    erlang:halt(1, [{flush, false}]).
