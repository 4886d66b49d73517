using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Database;
using KeycloakCreditBridge.Provisioning.Policy;
using Npgsql;

namespace KeycloakCreditBridge.Provisioning.Subjects;

/// <summary>Reads the users of many hints with one query, where Keycloak's database may be read and has all that the rules need.</summary>
internal sealed partial class DatabaseSubjectReader(
    KeycloakDatabase database, KeycloakDatabaseStore store, TimeProvider clock, ILogger<DatabaseSubjectReader> logger)
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromMinutes(1);

    private DateTimeOffset _pausedUntil;
    private bool _isChecked;

    /// <summary>What could be read this way for a policy. Keycloak itself is asked for the rest.</summary>
    public async Task<SubjectBatch> ReadAsync(
        GrantPolicy policy, IReadOnlyList<ClaimedHint> hints, CancellationToken cancellationToken)
    {
        var batch = new SubjectBatch(clock.GetUtcNow());
        // An unreachable database may take seconds to fail, which no batch has.
        if (!database.IsConfigured || clock.GetUtcNow() < _pausedUntil)
            return batch;
        var realms = hints.Where(CanBeStored).GroupBy(hint => hint.Realm, StringComparer.Ordinal);
        foreach (var realm in realms.Where(realm => HasAllThatIsNeeded(policy, realm.Key)))
        {
            string[] ids = [.. realm.Select(hint => hint.KeycloakId).Distinct(StringComparer.Ordinal)];
            try
            {
                // The service starts without this database when it is unreachable.
                if (!_isChecked)
                    await store.CheckAsync(cancellationToken);
                _isChecked = true;
                var found = await store.FindAsync(realm.Key, ids, cancellationToken);
                // Whether a directory has a user, and has it enabled, is in no table.
                var linked = found.Where(user => user.FederationLink is not null).Select(user => user.Id).ToHashSet(StringComparer.Ordinal);
                batch.Add(
                    realm.Key,
                    ids.Where(id => !linked.Contains(id)),
                    found.Where(user => user.FederationLink is null)
                        .Select(user => Subject.From(realm.Key, user.ToUser(), isRegularUser: !user.IsService)));
            }
            catch (KeycloakException exception)
            {
                LogNotRead(realm.Key, exception.Message);
            }
            catch (Exception exception) when (exception is NpgsqlException or KeycloakDatabaseException)
            {
                _pausedUntil = clock.GetUtcNow() + RetryPause;
                LogNotRead(realm.Key, exception.Message);
                break;
            }
        }

        return batch;
    }

    private static bool HasAllThatIsNeeded(GrantPolicy policy, string realm) =>
        !policy.RulesOf(realm).NeedsMoreThanBrief && policy.PoliciesOf(realm)?.NeededFor(null).IsAny is not true;

    // Federated users without import are in no table, and PostgreSQL stores no zero character.
    private static bool CanBeStored(ClaimedHint hint) =>
        !hint.KeycloakId.StartsWith("f:", StringComparison.Ordinal) && !hint.KeycloakId.Contains('\0', StringComparison.Ordinal);

    [LoggerMessage(EventId = 405, Level = LogLevel.Warning,
        Message = "Realm {Realm} cannot be read from Keycloak's database and is read through its API: {Reason}")]
    private partial void LogNotRead(string realm, string reason);
}

/// <summary>Users that were read together.</summary>
/// <param name="readAt">When they were read.</param>
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

    /// <summary>Whether the user was asked for; null where the realm has no such user.</summary>
    public bool TryGet(string realm, string keycloakId, out Subject? subject) => _read.TryGetValue((realm, keycloakId), out subject);
}
