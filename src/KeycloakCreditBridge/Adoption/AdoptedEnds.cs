using KeycloakCreditBridge.Grants.Given;
using Npgsql;

namespace KeycloakCreditBridge.Adoption;

/// <summary>Gives what is left of adopted credits an end, where the operator asks for one.</summary>
/// <param name="ends">Writes ends.</param>
/// <param name="after">How long after the adoption; null for no end.</param>
internal sealed class AdoptedEnds(GrantEnds ends, TimeSpan? after)
{
    /// <summary>The accounts of the batch in which the bridge gave no grant. To be asked before their ledgers are joined.</summary>
    public async Task<IReadOnlyList<string>> FreshAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        after is null ? [] : await AdoptionGrantStore.FreshAsync(connection, cancellationToken);

    /// <summary>Has what is left of their credits end, bought ones apart. After their ledgers are joined.</summary>
    public Task GiveAsync(
        NpgsqlConnection connection, IReadOnlyList<string> accounts, DateTimeOffset now, CancellationToken cancellationToken) =>
        after is { } some && accounts.Count > 0
            ? ends.GiveAsync(connection, accounts, some, by: "adopt", now, cancellationToken)
            : Task.CompletedTask;
}
