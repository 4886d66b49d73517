using KeycloakCreditBridge.Grants.Booking;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Grants.Given;

/// <summary>Gives grants of many accounts one end, each with its ledger row.</summary>
internal static class EndStore
{
    private static readonly string EndSql = SqlText.Of(typeof(EndStore), "EndStore.End.sql");

    /// <param name="connection">In a transaction that holds the accounts' locks.</param>
    /// <param name="grants">Grants without an end.</param>
    /// <param name="end">The end of all of them.</param>
    /// <param name="by">The caller, for the ledger and the audit log.</param>
    /// <param name="now">The time of what is written.</param>
    /// <param name="cancellationToken">Ends it before it is committed.</param>
    public static Task EndAsync(
        NpgsqlConnection connection, IReadOnlyList<(string AccountId, Lot Lot)> grants, DateTimeOffset end, string by, DateTimeOffset now,
        CancellationToken cancellationToken) =>
        connection.QueryPreparedAsync<int>(
            EndSql,
            [
                grants.Column("Accounts", NpgsqlDbType.Text, grant => grant.AccountId),
                grants.Column("Grants", NpgsqlDbType.Text, grant => grant.Lot.Key),
                grants.Column("Amounts", NpgsqlDbType.Numeric, grant => grant.Lot.Amount),
                grants.Column("Priorities", NpgsqlDbType.Integer, grant => grant.Lot.Priority),
                grants.Column("GrantedAts", NpgsqlDbType.TimestampTz, grant => grant.Lot.GrantedAt.UtcDateTime),
                BookingStore.Time("End", end),
                new("By", NpgsqlDbType.Text) { Value = by },
                BookingStore.Time("Now", now),
            ],
            cancellationToken);
}
