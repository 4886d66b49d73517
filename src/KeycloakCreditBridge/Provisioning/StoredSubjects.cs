using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Database;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning;

/// <summary>Reads the users of many hints with one question, where Keycloak's database may be read and has all that the rules look at.</summary>
internal sealed partial class StoredSubjects(
    KeycloakDatabase database, KeycloakDatabaseStore store, GrantPolicy policy, TimeProvider clock, ILogger<StoredSubjects> logger)
{
    /// <summary>What could be read so; of all others Keycloak itself is asked.</summary>
    public async Task<SubjectBatch> ReadAsync(IReadOnlyList<ClaimedHint> hints, CancellationToken cancellationToken)
    {
        var batch = new SubjectBatch(clock.GetUtcNow());
        if (!database.IsConfigured)
            return batch;
        foreach (var realm in hints.Where(MayBeStored).GroupBy(hint => hint.Realm, StringComparer.Ordinal).Where(realm => !policy.RulesOf(realm.Key).NeedsMoreThanBrief))
        {
            string[] ids = [.. realm.Select(hint => hint.KeycloakId).Distinct(StringComparer.Ordinal)];
            try
            {
                var found = await store.FindAsync(realm.Key, ids, cancellationToken);
                // What a directory says of its people, whether they are enabled or there at all, is in no table.
                var linked = found.Where(user => user.FederationLink is not null).Select(user => user.Id).ToHashSet(StringComparer.Ordinal);
                batch.Add(
                    realm.Key,
                    ids.Where(id => !linked.Contains(id)),
                    found.Where(user => user.FederationLink is null).Select(user => Subject.From(realm.Key, user.ToUser(), isPerson: !user.IsService)));
            }
            catch (Exception exception) when (exception is NpgsqlException or KeycloakException)
            {
                LogNotRead(realm.Key, exception.Message);
            }
        }

        return batch;
    }

    // Federated users without import are in no table.
    private static bool MayBeStored(ClaimedHint hint) =>
        !hint.KeycloakId.StartsWith("f:", StringComparison.Ordinal) && !hint.KeycloakId.Contains('\0', StringComparison.Ordinal);

    [LoggerMessage(EventId = 405, Level = LogLevel.Warning, Message = "Realm {Realm} cannot be read from Keycloak's database, its API is asked: {Reason}")]
    private partial void LogNotRead(string realm, string reason);
}

/// <summary>Users who were read together.</summary>
/// <param name="ReadAt">When.</param>
internal sealed class SubjectBatch(DateTimeOffset readAt)
{
    private readonly Dictionary<(string Realm, string KeycloakId), Subject?> _read = [];

    public DateTimeOffset ReadAt => readAt;

    public void Add(string realm, IEnumerable<string> asked, IEnumerable<Subject> found)
    {
        foreach (var id in asked)
            _read[(realm, id)] = null;
        foreach (var subject in found)
            _read[(realm, subject.KeycloakId)] = subject;
    }

    /// <summary>Whether the user was asked for; null is one whom the realm does not have.</summary>
    public bool TryGet(string realm, string keycloakId, out Subject? subject) => _read.TryGetValue((realm, keycloakId), out subject);
}
