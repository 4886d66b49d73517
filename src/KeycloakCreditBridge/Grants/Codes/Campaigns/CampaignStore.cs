using Dapper;
using KeycloakCreditBridge.Storage.Replicas;
using Npgsql;

namespace KeycloakCreditBridge.Grants.Codes.Campaigns;

/// <summary>Makes campaigns with their codes, counts and disables them.</summary>
internal sealed class CampaignStore(NpgsqlDataSource dataSource)
{
    /// <summary>The migration without which a replica renames accounts without their redemptions.</summary>
    private const int Migration = 81;

    // The second of two with one name, or with one word, waits here for the first and finds nothing to write.
    private const string CreateSql =
        """
        insert into code_campaigns (
            realm, name, credits, expires_after, starts_at, ends_at, requires, once, key_check, created_by, created_at)
        values (@Realm, @Name, @Credits, @ExpiresAfter, coalesce(@StartsAt::timestamptz, @Now), @EndsAt, @Requires, @Once, @KeyCheck, @By,
            @Now)
        on conflict (realm, name) do nothing
        returning id
        """;

    private const string AddSql =
        """
        with added as (
            insert into codes (realm, code_hash, campaign_id, number, max_redemptions)
            select @Realm, h.hash, @Campaign, h.number::integer, @Places
            from unnest(@Hashes::bytea[]) with ordinality as h (hash, number)
            order by h.hash
            on conflict (realm, code_hash) do nothing
            returning 1
        ),
        audited as (
            insert into audit_logs (timestamp, action, result, resource_type, resource_id, metadata)
            select @Now, 'code.create', 'success', 'code_campaigns', @Name, jsonb_build_object('realm', @Realm::text,
                'campaign', @Name::text, 'credits', (@Credits::numeric(20, 6))::text, 'codes', cardinality(@Hashes::bytea[]),
                'max_redemptions', @Places::bigint, 'by', @By::text)
        )
        select count(*)::integer from added
        """;

    private const string ListSql =
        """
        select g.realm, g.name, g.credits, g.expires_after, g.starts_at, g.ends_at, array_to_string(g.requires, ',') as requires,
            g.created_by, g.created_at, c.codes, c.places, c.taken, c.disabled, r.paid, r.held, g.once
        from code_campaigns g
        cross join lateral (
            select count(*) as codes, sum(c.max_redemptions)::bigint as places, sum(c.redeemed)::bigint as taken,
                count(c.disabled_at) as disabled
            from codes c where c.campaign_id = g.id) c
        cross join lateral (
            select count(*) filter (where r.state = 'paid') as paid, count(*) filter (where r.state = 'held') as held
            from code_redemptions r where r.campaign_id = g.id) r
        where g.realm = any (@Realms) and (@Name::text is null or g.name = @Name)
        order by g.realm, g.created_at, g.id
        """;

    private const string CodesSql =
        """
        select c.number, 'code:' || c.id as grant_key, c.max_redemptions as places, c.redeemed as taken, c.disabled_at
        from codes c join code_campaigns g on g.id = c.campaign_id
        where g.realm = @Realm and g.name = @Name
        order by c.number
        """;

    // A redemption that waits for a code's row compares it again, and finds it disabled.
    private const string DisableSql =
        """
        with disabled as (
            update codes c set disabled_at = @Now
            from code_campaigns g
            where g.realm = @Realm and g.name = @Name and c.campaign_id = g.id and c.disabled_at is null
                and (@Number::integer is null or c.number = @Number)
            returning 1
        ),
        audited as (
            insert into audit_logs (timestamp, action, result, resource_type, resource_id, metadata)
            select @Now, 'code.disable', 'success', 'code_campaigns', @Name, jsonb_strip_nulls(jsonb_build_object('realm', @Realm::text,
                'campaign', @Name::text, 'number', @Number, 'codes', (select count(*) from disabled), 'by', @By::text))
            where exists (select from disabled)
        )
        select count(*) from disabled
        """;

    private const string OtherKeySql = "select exists (select from code_campaigns where key_check <> @KeyCheck)";

    private const string AnyOnceSql =
        """
        select exists (
            select from code_campaigns g
            where g.once <> 'user' and (g.ends_at > now() or g.ends_at is null or exists (
                select from code_redemptions r where r.campaign_id = g.id and r.state = 'held')))
        """;

    private const string AnySql = "select exists (select from code_campaigns)";

    /// <summary>Makes a campaign with its codes, or nothing.</summary>
    /// <returns>Whether it is made; and replicas of an older program: while there are any it is not.</returns>
    public async Task<(CreateOutcome Outcome, IReadOnlyList<Replica> Older)> CreateAsync(
        NewCampaign wanted, byte[][] hashes, byte[] keyCheck, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await ReplicaStore.LockLackingAsync(connection, Migration, cancellationToken) is { Count: > 0 } older)
            return (CreateOutcome.Done, older);
        var campaign = await connection.ExecuteScalarAsync<long?>(new CommandDefinition(
            CreateSql,
            new
            {
                wanted.Realm, wanted.Name, wanted.Credits, wanted.ExpiresAfter, StartsAt = wanted.StartsAt?.UtcDateTime,
                EndsAt = wanted.EndsAt?.UtcDateTime, Requires = wanted.Requires.ToArray(),
                Once = wanted.Once.ToString().ToLowerInvariant(), KeyCheck = keyCheck, wanted.By,
                Now = now.UtcDateTime,
            },
            cancellationToken: cancellationToken));
        if (campaign is null)
            return (CreateOutcome.NameTaken, []);
        var added = await connection.ExecuteScalarAsync<int>(new CommandDefinition(
            AddSql,
            new
            {
                wanted.Realm, wanted.Name, wanted.Credits, wanted.Places, wanted.By, Campaign = campaign, Hashes = hashes,
                Now = now.UtcDateTime,
            },
            cancellationToken: cancellationToken));
        if (added < hashes.Length)
            return (CreateOutcome.WordTaken, []);
        await transaction.CommitAsync(cancellationToken);
        return (CreateOutcome.Done, []);
    }

    /// <summary>Campaigns of realms with their counts, the oldest first; one of them where a name is given.</summary>
    public async Task<IReadOnlyList<Campaign>> ListAsync(string[] realms, string? name, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<Campaign>(
            new CommandDefinition(ListSql, new { Realms = realms, Name = name }, cancellationToken: cancellationToken))];
    }

    /// <summary>The codes of a campaign.</summary>
    public async Task<IReadOnlyList<CampaignCode>> CodesAsync(string realm, string name, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return [.. await connection.QueryAsync<CampaignCode>(
            new CommandDefinition(CodesSql, new { Realm = realm, Name = name }, cancellationToken: cancellationToken))];
    }

    /// <summary>Disables codes of a campaign, all or one. Returns how many were not disabled before.</summary>
    public async Task<long> DisableAsync(
        string realm, string name, int? number, string by, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<long>(new CommandDefinition(
            DisableSql, new { Realm = realm, Name = name, Number = number, By = by, Now = now.UtcDateTime },
            cancellationToken: cancellationToken));
    }

    /// <summary>Whether there are campaigns, so that a key is needed.</summary>
    public async Task<bool> AnyAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(new CommandDefinition(AnySql, cancellationToken: cancellationToken));
    }

    /// <summary>Whether campaigns that can be redeemed, or that have kept places, pay an address once.</summary>
    public async Task<bool> AnyOnceAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(new CommandDefinition(AnyOnceSql, cancellationToken: cancellationToken));
    }

    /// <summary>Whether codes were made with another key.</summary>
    public async Task<bool> HasOtherKeyAsync(byte[] keyCheck, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(
            new CommandDefinition(OtherKeySql, new { KeyCheck = keyCheck }, cancellationToken: cancellationToken));
    }
}
