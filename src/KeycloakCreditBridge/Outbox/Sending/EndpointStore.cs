using Dapper;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Outbox.Sending;

/// <summary>How far each endpoint has the events, and which of them wait to be sent again.</summary>
internal sealed class EndpointStore(NpgsqlDataSource dataSource)
{
    private const string StateColumns = "e.name, e.position, e.failing_since, e.disabled_at, e.succeeded_at, e.error";

    private const string StateSql = $"select {StateColumns} from outbox_endpoints e where e.name = @Endpoint::text";

    private const string AddSql =
        """
        insert into outbox_endpoints (name, position)
        select @Endpoint::text, coalesce(max(seq), 0) from outbox
        on conflict (name) do nothing
        """;

    // Behind another event of the same account that waits, an event waits too.
    private const string NextSql =
        """
        select o.seq, o.id, o.account_id, o.type, o.data::text as data, o.at, 0 as attempts, null::timestamptz as failed_at,
            o.account_id in (
                select b.account_id from outbox_waiting w join outbox b on b.seq = w.seq
                where w.endpoint = @Endpoint::text and w.given_up_at is null) as is_behind
        from outbox o
        where o.seq > @After::bigint and o.seq <= @Last::bigint and o.type = any (@Types::text[])
        order by o.seq
        limit @Limit::integer
        """;

    // Of each account the first that waits, once it is due.
    private const string DueSql =
        """
        select f.seq, f.id, f.account_id, f.type, f.data::text as data, f.at, f.attempts, f.failed_at, false as is_behind
        from (
            select distinct on (o.account_id) o.*, w.attempts, w.due_at, w.failed_at
            from outbox_waiting w join outbox o on o.seq = w.seq
            where w.endpoint = @Endpoint::text and w.given_up_at is null
            order by o.account_id, w.seq) f
        where f.due_at <= @Now::timestamptz
        order by f.due_at
        limit @Limit::integer
        """;

    // Writes nothing once the position is another one than the round began with: an operator or another replica has moved it.
    private const string CompleteSql =
        """
        with moved as (
            update outbox_endpoints e
            set position = @Position::bigint,
                failing_since = case when @Succeeded::boolean then null when @Error::text is null then e.failing_since
                    else coalesce(e.failing_since, @Now::timestamptz) end,
                succeeded_at = case when @Succeeded then @Now else e.succeeded_at end,
                error = case when @Error is not null then @Error when @Succeeded then null else e.error end,
                disabled_at = case when @Disabled::boolean then @Now else e.disabled_at end
            where e.name = @Endpoint::text and e.position = @Began::bigint and e.disabled_at is null
            returning e.name),
        sent as (
            delete from outbox_waiting w using moved m where w.endpoint = m.name and w.seq = any (@Sent::bigint[])),
        waiting as (
            insert into outbox_waiting as w (endpoint, seq, attempts, due_at, failed_at, given_up_at, error)
            select m.name, f.seq, f.attempts, f.due_at, @Now, case when f.given_up then @Now end, f.error
            from moved m
            cross join unnest(@Seqs::bigint[], @Attempts::integer[], @DueAts::timestamptz[], @GivenUp::boolean[], @Errors::text[])
                as f (seq, attempts, due_at, given_up, error)
            on conflict (endpoint, seq) do update
                set attempts = excluded.attempts, due_at = excluded.due_at, given_up_at = excluded.given_up_at, error = excluded.error)
        select count(*) from moved
        """;

    // While an endpoint takes nothing, what is too old is given up in one statement, however much it is.
    private const string GiveUpSql =
        """
        with old as (
            select o.seq, o.type = any (@Types::text[]) as is_chosen
            from outbox_endpoints e join outbox o on o.seq > e.position and o.at < @Before::timestamptz
            where e.name = @Endpoint::text and e.position = @Began::bigint),
        given_up as (
            insert into outbox_waiting (endpoint, seq, attempts, due_at, failed_at, given_up_at, error)
            select @Endpoint, o.seq, 0, @Now::timestamptz, @Now, @Now, @Error::text from old o where o.is_chosen
            on conflict (endpoint, seq) do nothing
            returning seq),
        moved as (
            update outbox_endpoints e set position = l.last from (select max(seq) as last from old) l
            where e.name = @Endpoint and e.position = @Began and l.last is not null)
        select count(*) from given_up
        """;

    public async Task<EndpointState?> StateAsync(string endpoint, CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<EndpointState>(
            StateSql, [new("Endpoint", NpgsqlDbType.Text) { Value = endpoint }], cancellationToken)).SingleOrDefault();

    /// <summary>Makes a new endpoint known: it gets what happens from now on.</summary>
    public async Task AddAsync(string endpoint, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(AddSql, new { Endpoint = endpoint }, cancellationToken: cancellationToken));
    }

    /// <summary>The next events in the order of their places.</summary>
    public Task<IReadOnlyList<DueEvent>> NextAsync(
        string endpoint, long after, long last, string[] types, int limit, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<DueEvent>(
            NextSql,
            [
                new("Endpoint", NpgsqlDbType.Text) { Value = endpoint },
                new("After", NpgsqlDbType.Bigint) { Value = after },
                new("Last", NpgsqlDbType.Bigint) { Value = last },
                new("Types", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = types },
                new("Limit", NpgsqlDbType.Integer) { Value = limit },
            ],
            cancellationToken);

    /// <summary>Events that are to be sent again now, one of an account.</summary>
    public Task<IReadOnlyList<DueEvent>> DueAsync(string endpoint, DateTimeOffset now, int limit, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<DueEvent>(
            DueSql,
            [
                new("Endpoint", NpgsqlDbType.Text) { Value = endpoint },
                new("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
                new("Limit", NpgsqlDbType.Integer) { Value = limit },
            ],
            cancellationToken);

    /// <summary>Keeps what a round came to.</summary>
    /// <returns>False when the endpoint was moved or disabled meanwhile: what was sent is sent again.</returns>
    public async Task<bool> CompleteAsync(RoundResult round, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var moved = await dataSource.QueryPreparedAsync<long>(
            CompleteSql,
            [
                new("Endpoint", NpgsqlDbType.Text) { Value = round.Endpoint },
                new("Began", NpgsqlDbType.Bigint) { Value = round.Began },
                new("Position", NpgsqlDbType.Bigint) { Value = round.Position },
                new("Succeeded", NpgsqlDbType.Boolean) { Value = round.Succeeded },
                new("Disabled", NpgsqlDbType.Boolean) { Value = round.Disables },
                new("Error", NpgsqlDbType.Text) { Value = (object?)round.Error ?? DBNull.Value },
                new("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
                new("Sent", NpgsqlDbType.Array | NpgsqlDbType.Bigint) { Value = round.SentAgain.ToArray() },
                round.Waiting.Column("Seqs", NpgsqlDbType.Bigint, one => one.Seq),
                round.Waiting.Column("Attempts", NpgsqlDbType.Integer, one => one.Attempts),
                round.Waiting.Column("DueAts", NpgsqlDbType.TimestampTz, one => one.DueAt.UtcDateTime),
                round.Waiting.Column("GivenUp", NpgsqlDbType.Boolean, one => one.IsGivenUp),
                round.Waiting.Column("Errors", NpgsqlDbType.Text, one => one.Error),
            ],
            cancellationToken);
        return moved[0] == 1;
    }

    /// <summary>Gives up all that is older than this, and returns how many events of the chosen types that were.</summary>
    public async Task<long> GiveUpAsync(
        EndpointState state, string[] types, DateTimeOffset before, string error, DateTimeOffset now,
        CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<long>(
            GiveUpSql,
            [
                new("Endpoint", NpgsqlDbType.Text) { Value = state.Name },
                new("Began", NpgsqlDbType.Bigint) { Value = state.Position },
                new("Types", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = types },
                new("Before", NpgsqlDbType.TimestampTz) { Value = before.UtcDateTime },
                new("Error", NpgsqlDbType.Text) { Value = error },
                new("Now", NpgsqlDbType.TimestampTz) { Value = now.UtcDateTime },
            ],
            cancellationToken))[0];
}

/// <param name="Name">As the settings name it.</param>
/// <param name="Position">All events up to this place are sent, wait to be sent again, or are not chosen.</param>
/// <param name="FailingSince">Since when it has taken nothing although something was sent.</param>
/// <param name="DisabledAt">Since when nothing is sent to it.</param>
/// <param name="Error">What came of the last request that failed.</param>
internal sealed record EndpointState(
    string Name, long Position, DateTimeOffset? FailingSince, DateTimeOffset? DisabledAt, DateTimeOffset? SucceededAt, string? Error);

/// <summary>An event that is to be sent.</summary>
/// <param name="Attempts">How often that failed.</param>
/// <param name="FailedAt">When it failed for the first time.</param>
/// <param name="IsBehind">Whether an earlier event of the account waits.</param>
internal sealed record DueEvent(
    long Seq, Guid Id, string AccountId, string Type, string Data, DateTimeOffset At, int Attempts, DateTimeOffset? FailedAt, bool IsBehind)
{
    public OutboxEvent Event => new(Seq, Id, AccountId, Type, Data, At);
}

/// <summary>An event that is to be sent again, or was given up.</summary>
internal sealed record WaitingEvent(long Seq, int Attempts, DateTimeOffset DueAt, bool IsGivenUp, string? Error);

/// <summary>What a round came to.</summary>
/// <param name="Began">The position at its beginning.</param>
/// <param name="Position">The position from then on.</param>
/// <param name="Succeeded">Whether the endpoint took something.</param>
/// <param name="Error">What came of the last request that failed.</param>
/// <param name="Disables">Whether nothing is sent to it any more.</param>
/// <param name="SentAgain">Places of events that waited and were taken.</param>
/// <param name="Waiting">Events that are sent again later.</param>
internal sealed record RoundResult(
    string Endpoint, long Began, long Position, bool Succeeded, string? Error, bool Disables, IReadOnlyCollection<long> SentAgain,
    IReadOnlyCollection<WaitingEvent> Waiting);
