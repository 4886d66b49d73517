using KeycloakCreditBridge.Api.Requests;
using Microsoft.OpenApi;

namespace KeycloakCreditBridge.Api.Description;

/// <summary>What the OpenAPI document says of each route beyond what the framework finds out.</summary>
internal static class ApiDescription
{
    private const string RetryAfter = "Retry-After";
    private const string AnyType = "*/*";

    /// <summary>Any route that takes a token may answer these.</summary>
    public static readonly int[] CommonProblems = [400, 401, 403, 404, 429, 503];
    private static readonly int[] JsonProblems = [408, 413, 415];
    private static readonly int[] KeyProblems = [409, 422];

    private static readonly Dictionary<string, OpenApiSchema> Parameters = new(StringComparer.Ordinal)
    {
        ["limit"] = new() { Type = JsonSchemaType.Integer, Format = "int32", Minimum = "1", Maximum = "500" },
        ["offset"] = new() { Type = JsonSchemaType.Integer, Format = "int32", Minimum = "0", Maximum = "1000000" },
        ["outcome"] = new() { Type = JsonSchemaType.String, Enum = ["converged", "stored", "ignored", "refused", "not_stored"] },
        ["from"] = new() { Type = JsonSchemaType.String, Format = "date" },
        ["to"] = new() { Type = JsonSchemaType.String, Format = "date", Description = "The last day; at most 400 days after the first." },
        ["since"] = new() { Type = JsonSchemaType.String, Description = "A day or an instant, in ISO 8601." },
        ["transaction_type"] = new()
        {
            Type = JsonSchemaType.String, Enum = ["usage", "purchase", "bonus", "refund", "adjustment"],
        },
        ["start_date"] = new() { Type = JsonSchemaType.String, Description = "A day or an instant, in ISO 8601." },
        ["end_date"] = new() { Type = JsonSchemaType.String, Description = "A day, which counts, or an instant, which does not." },
        [IdempotencyKey.Header] = new() { Type = JsonSchemaType.String, MinLength = 1, MaxLength = 255, Pattern = "^[ -~]+$" },
    };

    /// <summary>A route that answers <typeparamref name="TAnswer"/>, with these parameters in its query.</summary>
    /// <param name="route">The route.</param>
    /// <param name="name">The name of the operation, from which clients make the name of a method.</param>
    /// <param name="summary">One sentence.</param>
    /// <param name="query">Names of <see cref="Parameters"/>, or of text.</param>
    public static RouteHandlerBuilder Answers<TAnswer>(
        this RouteHandlerBuilder route, string name, string summary, params string[] query) =>
        route.Named(name, summary).Produces<TAnswer>().AnswersProblems(CommonProblems).WithParameters(ParameterLocation.Query, query);

    /// <summary>A route that answers 202 with what it has begun, and with its address in Location.</summary>
    public static RouteHandlerBuilder AnswersAccepted<TAnswer>(this RouteHandlerBuilder route, string name, string summary) =>
        route.Named(name, summary).Produces<TAnswer>(StatusCodes.Status202Accepted).AnswersProblems(CommonProblems)
            .AnswersHeader(StatusCodes.Status202Accepted, "Location", "The address of what was begun.");

    /// <summary>The name of a route's operation, and what the route does.</summary>
    public static RouteHandlerBuilder Named(this RouteHandlerBuilder route, string name, string summary) =>
        route.WithName(name).WithSummary(summary);

    /// <summary>A route that takes <typeparamref name="TBody"/> as JSON.</summary>
    public static RouteHandlerBuilder TakesJson<TBody>(this RouteHandlerBuilder route)
        where TBody : notnull =>
        route.TakesBody<TBody>("application/json").AnswersProblems(JsonProblems);

    /// <summary>A route that takes <typeparamref name="TBody"/> in these media types, and itself says what is wrong with others.</summary>
    public static RouteHandlerBuilder TakesBody<TBody>(this RouteHandlerBuilder route, params string[] mediaTypes)
        where TBody : notnull =>
        // Routing would refuse other types than the declared ones before the route could explain.
        route.Accepts<TBody>(AnyType).AddOpenApiOperationTransformer((operation, _, _) =>
        {
            if (operation.RequestBody is not OpenApiRequestBody { Content: { } contents } body
                || !contents.Remove(AnyType, out var content))
            {
                return Task.CompletedTask;
            }

            body.Required = true;
            foreach (var type in mediaTypes)
                contents[type] = content;
            return Task.CompletedTask;
        });

    /// <summary>A route that is carried out once for each Idempotency-Key.</summary>
    public static RouteHandlerBuilder TakesIdempotencyKey(this RouteHandlerBuilder route) =>
        route.AnswersProblems(KeyProblems).WithParameters(ParameterLocation.Header, IdempotencyKey.Header);

    /// <summary>A route that may answer problem documents with these statuses.</summary>
    public static RouteHandlerBuilder AnswersProblems(this RouteHandlerBuilder route, params int[] statuses)
    {
        foreach (var status in statuses)
        {
            route.ProducesProblem(status);
            if (status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
                route.AnswersHeader(status, RetryAfter, "Seconds until another try.", JsonSchemaType.Integer);
        }

        return route;
    }

    /// <summary>A route whose answers with this status may have a header.</summary>
    public static RouteHandlerBuilder AnswersHeader(
        this RouteHandlerBuilder route, int status, string header, string meaning, JsonSchemaType type = JsonSchemaType.String) =>
        route.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            if (operation.Responses?.GetValueOrDefault($"{status}") is OpenApiResponse response)
            {
                (response.Headers ??= new Dictionary<string, IOpenApiHeader>())[header] =
                    new OpenApiHeader { Description = meaning, Schema = new OpenApiSchema { Type = type } };
            }

            return Task.CompletedTask;
        });

    private static RouteHandlerBuilder WithParameters(this RouteHandlerBuilder route, ParameterLocation location, params string[] names) =>
        names.Length == 0 ? route : route.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            operation.Parameters ??= [];
            foreach (var name in names)
            {
                operation.Parameters.Add(new OpenApiParameter
                {
                    Name = name, In = location,
                    Schema = Parameters.GetValueOrDefault(name) ?? new OpenApiSchema { Type = JsonSchemaType.String },
                });
            }

            return Task.CompletedTask;
        });
}
