using System.Text;
using System.Text.Json;
using KeycloakCreditBridge.Storage;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Credits.Balances;

/// <summary>Notifies other replicas of changed balances.</summary>
internal sealed class BalanceInvalidationStore(NpgsqlDataSource dataSource)
{
    /// <summary>As the trigger on user_credits names it too.</summary>
    public const string Channel = "credit_balances";

    // PostgreSQL takes less than 8,000.
    private const int LongestPayload = 7_900;
    private const int MostAccounts = 150;

    /// <summary>
    /// In a statement that changes balances it keeps the trigger from notifying, which would make commits wait for each other (at 16 in
    /// flight a third of the speed). The caller notifies with <see cref="BalanceInvalidator"/>.
    /// </summary>
    internal const string SuppressNotify = "set_config('credit_bridge.quiet', 'on', true)";

    private const string NotifySql =
        $"select count(pg_notify('{Channel}', payload))::int as sent from unnest(@Payloads::text[]) as p (payload)";

    /// <summary>Notifies in one statement.</summary>
    /// <param name="from">This process.</param>
    /// <param name="accounts">Account ids; null for all.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task PublishAsync(string from, IReadOnlyCollection<string>? accounts, CancellationToken cancellationToken) =>
        dataSource.QueryPreparedAsync<int>(
            NotifySql, [new NpgsqlParameter("Payloads", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = Payloads(from, accounts) }],
            cancellationToken);

    private static string[] Payloads(string from, IReadOnlyCollection<string>? accounts)
    {
        if (accounts is null)
            return [Write(null)];
        string[] payloads = [.. accounts.Chunk(MostAccounts).Select(Write)];
        // Ids may be long, and longer still in JSON.
        return Array.Exists(payloads, payload => Encoding.UTF8.GetByteCount(payload) > LongestPayload) ? [Write(null)] : payloads;

        string Write(string[]? some) =>
            JsonSerializer.Serialize(new BalanceInvalidation(from, some), BalanceInvalidationJson.Default.BalanceInvalidation);
    }
}
