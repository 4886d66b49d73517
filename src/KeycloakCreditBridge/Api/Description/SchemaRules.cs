using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace KeycloakCreditBridge.Api.Description;

/// <summary>
/// How types are described. In bodies that callers send, `decimal` is an amount, which may be text or a number, and a member with a
/// default value may be left out; in answers amounts are text.
/// </summary>
internal static class SchemaRules
{
    private const string AmountPattern = @"^[0-9]{1,14}(\.[0-9]{1,6})?$";

    // Members of problem documents that some refusals have.
    private static readonly Dictionary<string, string> ProblemMembers = new(StringComparer.Ordinal)
    {
        ["user_id"] = "404: the user without an account.",
        ["balance"] = "402: the balance.",
        ["needed"] = "402: the amount that was asked for.",
        ["grant_key"] = "404, 409: the grant.",
        ["refundable"] = "409: the most that can be refunded.",
        ["account_status"] = "403, 409: the account's status.",
        ["reason"] = "402, 403, 409: why.",
        ["trace_id"] = "The request in logs and traces.",
    };

    /// <summary>The component of a type; null for types that are described where they stand.</summary>
    public static string? ReferenceOf(JsonTypeInfo type) =>
        type.Type == typeof(JsonObject) ? null : OpenApiOptions.CreateDefaultSchemaReferenceId(type);

    public static Task ApplyAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = context.JsonTypeInfo.Type;
        if (type == typeof(decimal) || type == typeof(decimal?))
        {
            // Text comes first: some generators take the first alternative, and a double could lose digits.
            schema.OneOf =
            [
                new OpenApiSchema { Type = JsonSchemaType.String, Pattern = schema.Pattern ?? AmountPattern },
                new OpenApiSchema { Type = JsonSchemaType.Number, Minimum = schema.Pattern is null ? "0" : null },
                .. type == typeof(decimal) ? [] : (IOpenApiSchema[])[new OpenApiSchema { Type = JsonSchemaType.Null }],
            ];
            (schema.Type, schema.Format, schema.Pattern) = (null, null, null);
        }
        else if (type == typeof(JsonObject))
        {
            schema.AdditionalProperties = new OpenApiSchema();
        }
        else if (type == typeof(ProblemDetails))
        {
            schema.Properties ??= new Dictionary<string, IOpenApiSchema>();
            foreach (var (name, meaning) in ProblemMembers)
                schema.Properties[name] = new OpenApiSchema { Type = JsonSchemaType.String | JsonSchemaType.Null, Description = meaning };
            schema.Properties["errors"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Object, Description = "400: what is wrong with each field.",
                AdditionalProperties = new OpenApiSchema
                {
                    Type = JsonSchemaType.Array, Items = new OpenApiSchema { Type = JsonSchemaType.String },
                },
            };
        }

        return Task.CompletedTask;
    }
}
