using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Intake.Polling;

/// <summary>How far a stream of events was read.</summary>
/// <param name="Watermark">Keycloak's time of the newest event whose hint is durable.</param>
/// <param name="LastEvent">Fingerprint of that event; null once Keycloak no longer has it.</param>
/// <param name="PolledAt">When the bridge last read the stream to its end, by the bridge's clock.</param>
internal sealed record PollCursor(DateTimeOffset Watermark, string? LastEvent, DateTimeOffset PolledAt);

/// <summary>The table of cursors, one for each realm and stream.</summary>
internal sealed class PollCursorStore(NpgsqlDataSource dataSource)
{
    private const string FindSql = "select watermark, last_event, polled_at from poll_cursors where realm = @Realm and stream = @Stream";

    // A poller that lost its lease without noticing must not turn the cursor back.
    private const string SaveSql =
        """
        insert into poll_cursors (realm, stream, watermark, last_event, polled_at)
        values (@Realm, @Stream, @Watermark, @LastEvent, @PolledAt)
        on conflict (realm, stream) do update set
            watermark = excluded.watermark, last_event = excluded.last_event, polled_at = excluded.polled_at
        where poll_cursors.watermark <= excluded.watermark
        """;

    /// <summary>The cursor, or null when the stream never brought an event.</summary>
    public async Task<PollCursor?> FindAsync(string realm, string stream, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<PollCursor>(
            new CommandDefinition(FindSql, new { Realm = realm, Stream = stream }, cancellationToken: cancellationToken));
    }

    /// <summary>Moves the cursor forward; an older one than the stored one is ignored.</summary>
    public async Task SaveAsync(string realm, string stream, PollCursor cursor, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            SaveSql,
            new { Realm = realm, Stream = stream, cursor.Watermark, cursor.LastEvent, cursor.PolledAt },
            cancellationToken: cancellationToken));
    }
}
