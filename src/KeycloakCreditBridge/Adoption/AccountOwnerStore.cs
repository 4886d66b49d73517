using Dapper;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Adoption;

/// <summary>
/// Finds the owner of each account among the users of all realms. It works in temporary tables of one session, so that the database itself
/// is not written.
/// </summary>
internal sealed class AccountOwnerStore(NpgsqlConnection connection)
{
    private const string UsersTableSql =
        """
        create temporary table adopting_users (
            realm text collate "C" not null, keycloak_id text collate "C" not null, address text, proven boolean not null,
                named text collate "C",
            renames boolean not null, name_proven boolean not null, claim_kind text, claim_hash bytea,
            created_at timestamptz, read_at timestamptz not null,
            primary key (realm, keycloak_id))
        """;

    private const string MembersTableSql =
        """
        create temporary table adopting_members (
            account_id text collate "C" primary key, grp bigint not null, ownership text not null, realm text collate "C",
                keycloak_id text collate "C",
            present boolean not null)
        """;

    private const string GroupsTableSql =
        """
        create temporary table adopting_groups (
            grp bigint primary key, realm text collate "C", keycloak_id text collate "C", target text collate "C" not null,
            survivor text collate "C" not null, best text collate "C" not null)
        """;

    private const string UsersSql =
        """
        insert into adopting_users (realm, keycloak_id, address, proven, named, renames, name_proven, claim_kind, claim_hash, created_at,
            read_at)
        select @Realm::text, p.keycloak_id, p.address, p.proven, p.named, p.renames, p.name_proven, p.claim_kind, p.claim_hash,
            p.created_at, @ReadAt::timestamptz
        from unnest(@Ids::text[], @Addresses::text[], @Proven::boolean[], @Named::text[], @Renames::boolean[], @NameProven::boolean[],
            @Kinds::text[], @Hashes::bytea[], @CreatedAts::timestamptz[])
            as p (keycloak_id, address, proven, named, renames, name_proven, claim_kind, claim_hash, created_at)
        on conflict (realm, keycloak_id) do nothing
        """;

    private static readonly string MembersSql = SqlText.Of(typeof(AccountOwnerStore), "AccountOwnerStore.Members.sql");

    // An account that the bridge opened keeps its id where ids never change. Other properties come from the greatest of the accounts.
    private const string GroupsSql =
        """
        insert into adopting_groups (grp, realm, keycloak_id, target, survivor, best)
        with person as (select p.*, count(*) over (partition by p.named) as namesakes from adopting_users p),
        grouped as (
            select m.grp, m.realm, m.keycloak_id, p.named, p.renames, p.namesakes,
                min(c.user_id) filter (where c.keycloak_id is not null) as recorded,
                (array_agg(m.account_id order by m.present desc, c.credits_allocated desc, c.credits_remaining desc, c.created_at,
                    c.user_id))[1] as best
            from adopting_members m
            left join user_credits c on c.user_id = m.account_id
            left join person p on p.realm = m.realm and p.keycloak_id = m.keycloak_id
            group by m.grp, m.realm, m.keycloak_id, p.named, p.renames, p.namesakes
        ),
        placed as (
            select g.*, case
                    when g.realm is null then g.best
                    when g.recorded is not null and not g.renames then g.recorded
                    when g.namesakes = 1 and g.named is not null and (o.user_id is null or x.grp = g.grp) then g.named
                    else coalesce(g.recorded, g.best) end as target
            from grouped g
            left join user_credits o on o.user_id = g.named
            left join adopting_members x on x.account_id = o.user_id
        )
        select p.grp, p.realm, p.keycloak_id, p.target, coalesce(x.account_id, p.best), p.best
        from placed p
        left join adopting_members x on x.account_id = p.target and x.grp = p.grp and x.present
        """;

    // The bridge's sessions avoid sequential scans, which are the right plan here.
    private const string SettingsSql =
        """
        select set_config('enable_seqscan', 'on', false), set_config('plan_cache_mode', 'auto', false),
            set_config('work_mem', '64MB', false)
        """;

    private const string LockSql = "select pg_try_advisory_lock(hashtext('keycloak-credit-bridge adoption'))";

    private const string MemberIndexSql = "create index adopting_members_grp on adopting_members (grp)";

    /// <summary>Prepares the session; false while another process adopts.</summary>
    public async Task<bool> BeginAsync(CancellationToken cancellationToken)
    {
        if (!await connection.ExecuteScalarAsync<bool>(new CommandDefinition(LockSql, cancellationToken: cancellationToken)))
            return false;
        foreach (var sql in (string[])[SettingsSql, UsersTableSql, MembersTableSql, GroupsTableSql])
            await connection.ExecuteAsync(new CommandDefinition(sql, cancellationToken: cancellationToken));
        return true;
    }

    /// <summary>Adds a page of a realm's users.</summary>
    /// <param name="page">Each with the state that the realm's rules give.</param>
    /// <param name="trustAddresses">Whether unverified addresses count.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    public Task AddAsync(IReadOnlyList<(Subject User, DesiredState State)> page, bool trustAddresses, CancellationToken cancellationToken)
    {
        if (page.Count == 0)
            return Task.CompletedTask;
        var first = page[0].State;
        return connection.ExecuteAsync(new CommandDefinition(
            UsersSql,
            new
            {
                first.Realm,
                ReadAt = first.ReadAt.UtcDateTime,
                Ids = page.Select(item => item.User.KeycloakId).ToArray(),
                Addresses = page.Select(item => string.IsNullOrWhiteSpace(item.User.Email) ? null : item.User.Email).ToArray(),
                Proven = page.Select(item => trustAddresses || item.User.EmailVerified).ToArray(),
                Named = page.Select(item => item.State.AccountId).ToArray(),
                Renames = page.Select(item => item.State.Renames).ToArray(),
                NameProven = page.Select(item => trustAddresses || !item.State.IsUnverified).ToArray(),
                Kinds = page.Select(item => item.State.Claim?.Kind).ToArray(),
                Hashes = page.Select(item => item.State.Claim?.Hash).ToArray(),
                CreatedAts = page.Select(item => item.State.CreatedAt?.UtcDateTime).ToArray(),
            },
            cancellationToken: cancellationToken));
    }

    /// <summary>Matches accounts and users, after all users were added.</summary>
    public async Task MatchAsync(CancellationToken cancellationToken)
    {
        string[] steps =
        [
            "analyze adopting_users", MembersSql, MemberIndexSql, "analyze adopting_members", GroupsSql, "analyze adopting_groups",
        ];
        foreach (var sql in steps)
            await connection.ExecuteAsync(new CommandDefinition(sql, commandTimeout: 0, cancellationToken: cancellationToken));
    }
}
