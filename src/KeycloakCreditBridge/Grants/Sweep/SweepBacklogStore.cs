using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Sweep;

/// <summary>Counts the accounts whose ended credits wait for the sweep, and says whether there is anything to sweep at all.</summary>
internal sealed class SweepBacklogStore(NpgsqlDataSource dataSource, GrantClock ends)
{
    private const string BacklogSql =
        """
        select count(*) as accounts,
            coalesce(extract(epoch from coalesce(@At::timestamptz, now()) - min(c.next_expiry)), 0)::double precision as oldest_seconds,
            exists (select from user_credits e where e.next_expiry is not null and e.status <> 'closed') as has_ends
        from user_credits c
        where c.next_expiry <= coalesce(@At, now()) and c.next_expiry is not null and c.status <> 'closed'
        """;

    public async Task<SweepBacklog> ReadAsync(CancellationToken cancellationToken) =>
        (await dataSource.QueryPreparedAsync<SweepBacklog>(BacklogSql, [BookingStore.Time("At", ends.At)], cancellationToken))[0];
}
