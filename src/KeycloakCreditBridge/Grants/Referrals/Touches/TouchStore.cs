using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Referrals.Touches;

/// <summary>Keeps who gave whose code. It says nothing of what became of it, as no caller may know whether a code exists.</summary>
internal sealed class TouchStore(NpgsqlDataSource dataSource, ReferralMetrics metrics)
{
    /// <summary>How long after its creation an account can give a code.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromHours(24);

    private const string OwnerSql = "select r.user_id from referral_codes r where r.code = @Code::text";

    private static readonly string TouchSql = SqlText.Of(typeof(TouchStore), "TouchStore.Touch.sql");

    /// <summary>Keeps that an account gave a code. The first one that counts stays; it may be repeated.</summary>
    public async Task TouchAsync(string referee, string code, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var owners = await connection.QueryPreparedAsync<string>(
            OwnerSql, [new NpgsqlParameter("Code", NpgsqlDbType.Text) { Value = code }], cancellationToken);
        var referrer = owners is [var owner] ? owner : referee;
        await BookingStore.LockAsync(
            connection, new[] { referee, referrer }.Distinct(StringComparer.Ordinal), all: true, at: null, cancellationToken);
        var touched = await connection.QueryPreparedAsync<Touched>(
            TouchSql,
            [
                new("Referee", NpgsqlDbType.Text) { Value = referee },
                // A code that means nothing has no account, and the statement keeps nothing.
                new("Referrer", NpgsqlDbType.Text) { Value = owners.Count == 1 ? referrer : DBNull.Value },
                new("Window", NpgsqlDbType.Interval) { Value = Window },
                BookingStore.Time("Now", now),
            ],
            cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        if (touched is [var kept])
            metrics.Moved(ReferralMoves.Parse(kept.State), kept.Reason);
    }

    private sealed record Touched(string State, string? Reason);
}
