using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using KeycloakCreditBridge.Page.Sessions;
using Npgsql;

namespace KeycloakCreditBridge.Page.Gate;

/// <summary>Writes what operators do, and what they were refused, into the audit log.</summary>
internal sealed class PageAuditStore(NpgsqlDataSource dataSource, TimeProvider clock)
{
    private const string AddSql =
        """
        insert into audit_logs (timestamp, user_id, action, result, resource_type, resource_id, metadata, error_message, ip_address)
        values (@Now, @AccountId, @Action, @Result, 'page', @Resource, @Metadata::jsonb, @Error, @Address)
        """;

    /// <param name="context">The request.</param>
    /// <param name="user">The operator who acts.</param>
    /// <param name="act">What is done.</param>
    /// <param name="error">Why it was refused; null when it was done.</param>
    public async Task AddAsync(HttpContext context, Operator user, PageAct act, string? error = null)
    {
        var metadata = new JsonObject
        {
            ["realm"] = act.Realm,
            ["by"] = user.Subject,
            ["user_name"] = user.Name,
            ["session"] = user.SessionName,
        };
        foreach (var (name, value) in act.Details)
            metadata[name] = value;
        await using var connection = await dataSource.OpenConnectionAsync(CancellationToken.None);
        await connection.ExecuteAsync(
            AddSql,
            new
            {
                Now = clock.GetUtcNow(),
                act.AccountId,
                Action = $"page.{act.Name}",
                Result = error is null ? "success" : "refused",
                Resource = context.Request.Path.Value,
                // PostgreSQL's jsonb cannot hold a NUL.
                Metadata = metadata.ToJsonString(JsonSerializerOptions.Web).Replace("\\u0000", "", StringComparison.Ordinal),
                Error = error,
                Address = context.Connection.RemoteIpAddress?.ToString(),
            });
    }
}

/// <summary>Something that an operator does.</summary>
/// <param name="Name">Such as `allocate`; the audit log calls it page.allocate.</param>
/// <param name="AccountId">The account that it concerns; null for none.</param>
/// <param name="Details">Further members of the audit row's metadata.</param>
internal sealed record PageAct(string Name, string Realm, string? AccountId, params (string Name, string? Value)[] Details);
