using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KeycloakCreditBridge.Tests.Adoption;

/// <summary>A database as reference installations have it, and what their own programs say to it.</summary>
internal static class ExistingInstallation
{
    /// <summary>What the operators' guide of such installations has them run.</summary>
    public static readonly string[] Troubleshooting =
    [
        "SELECT * FROM user_credits WHERE user_id = 'user@example.com';",
        "SELECT * FROM credit_transactions WHERE user_id = 'user@example.com' ORDER BY created_at DESC LIMIT 10;",
        "SELECT user_id, credits_remaining, credits_allocated, tier, created_at FROM user_credits ORDER BY created_at DESC LIMIT 3;",
        "SELECT user_id, amount, transaction_type, provider, created_at FROM credit_transactions ORDER BY created_at DESC LIMIT 3;",
        """
        SELECT user_id, credits_remaining, credits_allocated, tier,
                last_reset, updated_at, created_at
        FROM user_credits
        WHERE user_id = 'user@example.com'
        """,
    ];

    /// <summary>What their programs write at a first call to an LLM: an account without any ledger row.</summary>
    public const string FirstCall =
        """
        INSERT INTO user_credits (user_id, credits_remaining, credits_allocated, tier)
        VALUES (@Id, 5.0, 5.0, 'trial')
        ON CONFLICT (user_id) DO NOTHING
        """;

    /// <summary>What they write at a charge.</summary>
    public const string Charge =
        """
        INSERT INTO credit_transactions (user_id, amount, transaction_type, provider, model, tokens_used, cost, metadata)
        VALUES (@Id, -0.5, 'usage', 'openai', 'gpt-4o-mini', 500, 0.5, '{"app": "chat"}');
        UPDATE user_credits SET credits_remaining = credits_remaining - 0.5, updated_at = now() WHERE user_id = @Id
        """;

    private const string Opening =
        """
        insert into credit_transactions (user_id, amount, transaction_type, metadata, created_at)
        select @Id, @Amount, 'purchase', '{"tier": "trial", "reason": "initial_allocation", "source": "trial_signup"}',
            now() - interval '9 days'
        from generate_series(1, @Times)
        """;

    /// <summary>The tables. With <paramref name="uuid"/> as the installation has them whose ids are its users'.</summary>
    public static string Tables(bool uuid = false, bool notifications = false) =>
        $"""
        create table users (id uuid primary key default gen_random_uuid(), email text);
        create table user_credits (
            id uuid primary key default gen_random_uuid(),
            user_id {(uuid ? "uuid not null unique references users (id) on delete cascade" : "varchar(255) not null unique")},
            credits_remaining numeric(12, 6) not null default 0, credits_allocated numeric(12, 6) not null default 0,
            tier varchar(50) not null default 'free', monthly_cap numeric(12, 6), last_reset timestamptz default now(),
            created_at timestamptz default now(),
            updated_at timestamptz default now(){(notifications ? ", email_notifications_enabled boolean default true" : "")},
            constraint credits_remaining_positive check (credits_remaining >= 0),
            constraint valid_tier check (tier in ('free', 'trial', 'starter', 'professional', 'enterprise')));
        create index idx_user_credits_user_id on user_credits (user_id);
        create index idx_user_credits_tier on user_credits (tier);
        create table credit_transactions (
            id uuid primary key default gen_random_uuid(), user_id {(uuid ? "uuid" : "varchar(255)")} not null, amount numeric(12,
                6) not null,
            transaction_type varchar(50) not null, provider varchar(100), model varchar(200), tokens_used integer, cost numeric(12, 6),
            metadata jsonb, balance_after numeric(12, 6), created_at timestamptz default now(),
            constraint valid_transaction_type check (transaction_type in ('usage', 'purchase', 'bonus', 'refund', 'adjustment')));
        create index idx_credit_transactions_user_id on credit_transactions (user_id);
        create index idx_credit_transactions_created_at on credit_transactions (created_at desc);
        create index idx_credit_transactions_type on credit_transactions (transaction_type);
        create index idx_credit_transactions_user_created on credit_transactions (user_id, created_at desc);
        """;

    /// <summary>Opens an account there, with as many opening rows as are wanted and what was logged since.</summary>
    public static async Task OpenAsync(
        this TestDatabase database, string id, decimal balance, int openings = 1, decimal used = 0, decimal opening = 5m,
        string tier = "trial")
    {
        await database.ExecuteAsync(
            """
            insert into user_credits (user_id, credits_remaining, credits_allocated, tier, created_at)
            values (@Id, @Balance, @Allocated, @Tier, now() - interval '9 days')
            """,
            new { Id = id, Balance = balance, Allocated = opening, Tier = tier });
        await database.ExecuteAsync(Opening, new { Id = id, Amount = opening, Times = openings });
        if (used != 0)
        {
            await database.ExecuteAsync(
                "insert into credit_transactions (user_id, amount, transaction_type, provider) values (@Id, @Used, 'usage', "
                    + "'openai/gpt-4o-mini')",
                new { Id = id, Used = -used });
        }
    }

    public static Task<int> MigrateAsync(this TestDatabase database, ILogger<Migrator>? log = null) =>
        new Migrator(database.DataSource, TimeProvider.System, log ?? NullLogger<Migrator>.Instance).MigrateAsync(CancellationToken.None);
}
